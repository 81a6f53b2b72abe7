//! Whether the keys of subjects open what was sealed with them: one value of each subject in each step.

use std::collections::HashSet;

use tokio_postgres::{Error, Row};
use umbel_core::{EventId, Payload};

use super::Verification;
use crate::{postgres::types::JsonOut, vault::tried};

/// Events in a step at most: they come whole, and may be large.
const STEP: i64 = 1024;

impl Verification<'_> {
    /// What keys do not open, at most so much, and one of each subject.
    pub(super) async fn keys(&mut self, sql: &str, room: usize) -> Result<Vec<String>, Error> {
        let (mut after, mut found, mut told) = ("0".to_owned(), Vec::new(), HashSet::new());
        while found.len() < room {
            let next = &self.statements.verify_next_positions;
            let Some(upto) = self.next_of(next, &after, self.head, self.step().min(STEP)).await? else {
                break;
            };
            let rows = self.all(sql, &[&after.as_str(), &upto.as_str()]).await?;
            for row in &rows {
                let subject: String = row.get("subject");
                let wrong = if told.contains(&subject) { None } else { of_event(row, &subject) };
                if let Some(wrong) = wrong {
                    found.push(wrong);
                    told.insert(subject);
                }
            }
            after = upto;
        }
        Ok(found)
    }
}

fn of_event(row: &Row, subject: &str) -> Option<String> {
    let data = match row.get::<_, Option<JsonOut>>("data") {
        Some(JsonOut(json)) => json.into(),
        None => Payload::Binary(row.get::<_, Option<&[u8]>>("bytes")?.into()),
    };
    let position: i64 = row.get("position");
    let id = EventId(row.get("event_id"));
    let wrong = tried(id, &data, row.get("key"))?;
    Some(format!("event {id} at position {position} holds personal data of {subject}, {wrong}"))
}
