//! Subjects: their keys, and whose events a stream holds.

use std::collections::HashMap;

use umbel_core::{StreamName, Subject, Timestamp, Version, store::StoreError};

use crate::{
    adapter::SubjectKey,
    postgres::{reader::Reader, types::PgTimestamp},
};

impl Reader {
    pub(super) async fn find_subject_keys(
        &self,
        subjects: &[Subject],
    ) -> Result<Vec<Option<SubjectKey>>, StoreError> {
        let names: Vec<&str> = subjects.iter().map(Subject::as_str).collect();
        let rows = self.query(&self.statements().find_subject_keys, &[&names]).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let subject: &str = row.get("subject");
            found.insert(subject, SubjectKey::stored(row.get("key")));
        }
        Ok(names.iter().map(|name| found.get(name).cloned()).collect())
    }

    pub(super) async fn find_subjects(
        &self,
        stream: StreamName,
        behind: Version,
        through: Version,
    ) -> Result<Vec<Subject>, StoreError> {
        let (behind, through) = (behind.to_i64(), through.to_i64());
        let rows =
            self.query(&self.statements().find_subjects, &[&stream.as_str(), &behind, &through]).await?;
        Ok(rows.iter().map(|row| Subject::from_store(row.get::<_, &str>("subject"))).collect())
    }

    pub(super) async fn create_subject_keys(
        &self,
        mut keys: Vec<(Subject, [u8; 32])>,
        now: Timestamp,
    ) -> Result<Vec<SubjectKey>, StoreError> {
        let subjects: Vec<Subject> = keys.iter().map(|(subject, _)| subject.clone()).collect();
        // In one order, so that two writers of the same subjects do not wait for each other crosswise.
        keys.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (names, values): (Vec<&str>, Vec<&[u8]>) =
            keys.iter().map(|(subject, key)| (subject.as_str(), key.as_slice())).unzip();
        self.write(&self.statements().create_subject_keys, &[&names, &values, &PgTimestamp(now)]).await?;
        let there = self.find_subject_keys(&subjects).await?.into_iter().collect::<Option<_>>();
        there.ok_or_else(|| StoreError::Corrupt { reason: "a subject's key that was stored is gone".into() })
    }
}
