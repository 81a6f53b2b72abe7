//! An article that is deleted takes along what was said about it.
//!
//! A process and not a second step of the command: whoever deletes an article and crashes would leave its discussion open, with comments
//! that nobody finds and nobody can take back.

use std::convert::Infallible;

use contracts::articles::Deleted;
use serde::{Deserialize, Serialize};
use umbel_core::{Cue, ProcessManager, Reaction, RecordedEvent, Route, process_manager::Occasion};

use super::discussion::Close;

/// Closes the discussion of an article that is gone. There is nothing to remember.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Farewell {}

umbel_core::events! {
    /// What ends a discussion.
    pub(crate) enum Departure { Deleted(Deleted) }
}

impl ProcessManager for Farewell {
    const NAME: &'static str = "articles.farewell";
    const STRONG: bool = true;
    type Event = Departure;
    type Error = Infallible;

    fn route(Departure::Deleted(deleted): &Departure, _: &RecordedEvent) -> Route {
        Route::start(deleted.article_id.to_string())
    }

    fn handle(&self, cue: Cue<'_, Departure>, _: &Occasion<'_>) -> Result<Reaction, Infallible> {
        Ok(match cue {
            Cue::Event(Departure::Deleted(Deleted { article_id, .. })) => {
                Reaction::command(Close { article_id: *article_id }).stop()
            }
            Cue::Timer(_) => Reaction::nothing(),
        })
    }

    fn evolve(self, _: Cue<'_, Departure>) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use umbel_testkit::{
        aggregate::NOW,
        golden::{Waiting, check_waiting},
        process_manager::{given_nothing, ordered},
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_deleted_article_takes_its_discussion_along() {
        let article_id = Uuid::from_u128(1);
        let deleted = Deleted { article_id, tags: Vec::new(), deleted_at: NOW };
        given_nothing::<Farewell>(&article_id.to_string())
            .when(deleted)
            .then([ordered(Close { article_id })])
            .ends();
    }

    /// UX-18: what is ordered is carried out in whatever version of the app comes next.
    #[test]
    fn what_waits_is_read_as_it_was() {
        check_waiting(&[Waiting::of::<Close>()], concat!(env!("CARGO_MANIFEST_DIR"), "/golden"));
    }
}
