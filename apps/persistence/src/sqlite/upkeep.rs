//! Upkeep: links, acts that remove or move, subjects' keys, verification.
//!
//! What writes does so on the writer's thread, each in one transaction like a group of appends, and each step of a removal.

mod link;
mod perform;
mod removal;
mod subjects;
mod verify;

use futures_util::future::BoxFuture;
use umbel_core::{
    StreamName, Subject, Timestamp, Version,
    store::{Finding, LinkError, LinkEvents, Perform, PerformError, Step, StoreError},
};

use super::Sqlite;
use crate::adapter::{Stride, SubjectKey, Upkeep};

impl Upkeep for Sqlite {
    fn link(&self, request: LinkEvents, now: Timestamp) -> BoxFuture<'_, Result<Version, LinkError>> {
        Box::pin(async move { self.write(move |writer| link::link(writer, &request, now)).await? })
    }

    fn perform_step(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Step, PerformError>> {
        let room = self.removal_step_max;
        Box::pin(
            async move { self.write(move |writer| perform::perform(writer, &request, room, now)).await? },
        )
    }

    fn removals(&self) -> BoxFuture<'_, Result<Vec<Perform>, StoreError>> {
        Box::pin(self.read(removal::list))
    }

    fn find_subject_keys(
        &self,
        subjects: Vec<Subject>,
    ) -> BoxFuture<'_, Result<Vec<Option<SubjectKey>>, StoreError>> {
        Box::pin(self.read(move |connection| subjects::find_keys(connection, &subjects)))
    }

    fn create_subject_keys(
        &self,
        keys: Vec<(Subject, [u8; 32])>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubjectKey>, StoreError>> {
        Box::pin(self.write(move |writer| subjects::create_keys(writer, &keys, now)))
    }

    fn find_subjects(
        &self,
        stream: StreamName,
        behind: Version,
        through: Version,
    ) -> BoxFuture<'_, Result<Vec<Subject>, StoreError>> {
        Box::pin(self.read(move |connection| subjects::of_stream(connection, &stream, behind, through)))
    }

    fn verify_by(&self, stride: Stride) -> BoxFuture<'_, Result<Vec<Finding>, StoreError>> {
        Box::pin(self.read(move |connection| verify::verify(connection, &stride)))
    }
}
