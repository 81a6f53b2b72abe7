//! Whether the schema is made as the migrations make it.

use tokio_postgres::Error;

use super::Verification;
use crate::objects::amiss;

/// What the migrations make, as `verify_objects` has it of a store that is up to date. A test holds it against one.
const WANTED: &str = include_str!("../../migrations/objects.txt");

impl Verification<'_> {
    /// What is missing or another one, and triggers that are not the store's.
    pub(super) async fn objects(&self) -> Result<Vec<String>, Error> {
        let rows = self.all(&self.statements.verify_objects, &[]).await?;
        let found: Vec<String> = rows.iter().map(|row| row.get("object")).collect();
        let mut broken = amiss(WANTED.lines().map(named), found.iter().map(|object| named(object)));
        let is_wanted = |object: &str| WANTED.lines().any(|wanted| named(wanted).0 == named(object).0);
        let foreign = found.iter().filter(|object| object.starts_with("trigger ") && !is_wanted(object));
        broken.extend(foreign.map(|object| format!("{object}, is not the store's")));
        Ok(broken)
    }
}

/// The name of an object, and what it is like.
fn named(object: &str) -> (&str, &str) {
    object.split_once(": ").unwrap_or((object, ""))
}
