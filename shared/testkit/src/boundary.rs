//! Given what happened, when this is asked, then that happens: tests of boundaries without a store.
//!
//! ```ignore
//! given([opened("c1", 1), joined("c1", "ada")])
//!     .when::<Joining>(Join { course: "c1".into(), student: "bob".into() })
//!     .then_rejected(No::Full);
//! ```
//!
//! Promises: the state is the fold of those events that the command's query is about, and of no other, as it is in a store. A decision
//! whose own events the query is not about fails: two such commands at once would not know of each other. Events, replies
//! and rejections are compared by what goes over the wire; time and ids are those of [`aggregate`](crate::aggregate).

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

use umbel_core::{
    Boundary, Command, Context, Decision, EncodedEvent, EventSet, TagQuery, Timestamp, schedule::Plans,
    store::ClaimName,
};

use crate::{
    aggregate::{NOW, are_released, are_taken, encoded, fresh_id, over_the_wire, same, wire_form},
    plans::are_planned,
};

pub use crate::plans::{Later, Planned, later, later_as, taken_back};

type Reply<B> = <<B as Boundary>::Command as Command>::Reply;
type Rejection<B> = <<B as Boundary>::Command as Command>::Rejection;

/// A log.
#[must_use]
pub struct Given {
    past: Vec<EncodedEvent>,
    now: Timestamp,
}

/// A command decided, and nothing said about the outcome yet.
#[must_use]
pub struct When<B: Boundary> {
    command: B::Command,
    query: TagQuery,
    now: Timestamp,
    outcome: Result<Decision<B::Event, Reply<B>>, Rejection<B>>,
}

/// A decision whose events were as expected.
pub struct Then<B: Boundary> {
    reply: Reply<B>,
    take: Vec<ClaimName>,
    release: Vec<ClaimName>,
    plans: Plans,
    now: Timestamp,
}

/// A log of these events, in whichever streams.
#[track_caller]
pub fn given<E: EventSet>(past: impl IntoIterator<Item = E>) -> Given {
    Given { past: past.into_iter().map(|event| encoded(&event)).collect(), now: NOW }
}

/// An empty log.
pub fn given_nothing() -> Given {
    Given { past: Vec::new(), now: NOW }
}

impl Given {
    /// The decision is made at this moment.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The command is decided.
    #[track_caller]
    pub fn when<B: Boundary>(self, command: B::Command) -> When<B> {
        let query = B::query(&command).within::<B::Event>();
        if let Err(wrong) = query.check() {
            panic!("no store answers the query of {}: {wrong}", B::Command::NAME);
        }
        let mut state = B::begin(&command);
        for EncodedEvent { event_type, data, tags, .. } in &self.past {
            if query.is_about(&event_type.name, tags)
                && let Some(event) =
                    B::Event::decode(event_type, data).unwrap_or_else(|error| panic!("{error}"))
            {
                state = state.evolve(&event);
            }
        }
        let mut count = 0;
        let mut fresh_ids = || {
            count += 1;
            fresh_id(count)
        };
        let outcome = state.decide(&command, &Context::new(self.now, &mut fresh_ids));
        When { command, query, now: self.now, outcome }
    }
}

impl<B: Boundary> When<B> {
    /// Exactly these events happen, in this order.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = impl Into<B::Event>>) -> Then<B> {
        let expected: Vec<_> = expected.into_iter().map(|event| wire_form(&event.into())).collect();
        let Decision { events, reply, take, release, plans } = match self.outcome {
            Ok(decision) => decision,
            Err(rejection) => panic!("expected events, but the command was rejected: {rejection}"),
        };
        for event in &events {
            let EncodedEvent { event_type, tags, .. } = encoded(event);
            let is_known = self.query.is_about(&event_type.name, &tags);
            assert!(is_known, "the query of {} is not about {event:?}, which it leads to", B::Command::NAME);
        }
        let events: Vec<_> = events.iter().map(|event| wire_form(&over_the_wire(event))).collect();
        assert_eq!(events, expected, "the events that happen (left) are not the expected ones (right)");
        Then { reply, take, release, plans, now: self.now }
    }

    /// The command is accepted, but nothing happens.
    #[track_caller]
    pub fn then_nothing(self) -> Then<B> {
        self.then(Vec::<B::Event>::new())
    }

    /// When another holds a claim that the decision wants, this is the reason it gets for a no.
    #[track_caller]
    pub fn then_if_claimed(
        self,
        scope: &str,
        value: &str,
        expected: impl Into<Option<Rejection<B>>>,
    ) -> Self {
        let rejection = B::claimed(&self.command, &ClaimName::new(scope, value));
        same(&rejection, &expected.into(), "the rejection when the claim is taken");
        self
    }

    /// The domain says no, for this reason.
    #[track_caller]
    pub fn then_rejected(self, expected: impl Into<Rejection<B>>) {
        match self.outcome {
            Err(rejection) => same(&rejection, &expected.into(), "the rejection"),
            Ok(decision) => panic!("expected a rejection, but these events happened: {:?}", decision.events),
        }
    }
}

impl<B: Boundary> Then<B> {
    /// The caller gets this answer.
    #[track_caller]
    pub fn replies(self, expected: impl Into<Reply<B>>) -> Self {
        same(&self.reply, &expected.into(), "the reply");
        self
    }

    /// Exactly these claims, scope and value, are taken.
    #[track_caller]
    pub fn takes<const N: usize>(self, expected: [(&str, &str); N]) -> Self {
        are_taken(&self.take, &expected);
        self
    }

    /// Exactly these claims, scope and value, are given back.
    #[track_caller]
    pub fn releases<const N: usize>(self, expected: [(&str, &str); N]) -> Self {
        are_released(&self.release, &expected);
        self
    }

    /// Exactly these are planned for later and taken back, in this order.
    #[track_caller]
    pub fn plans(self, expected: impl IntoIterator<Item = Planned>) -> Self {
        are_planned(&self.plans, expected, self.now);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{panic::catch_unwind, time::Duration};

    use serde::{Deserialize, Serialize};
    use umbel_core::{Event, Tags, events};

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Taken {
        seat: u32,
        by: String,
    }

    impl Event for Taken {
        const NAME: &'static str = "hall.taken";

        fn tags(&self) -> Tags {
            Tags::of("seat", self.seat)
        }
    }

    events! { enum HallEvent { Taken(Taken) } }

    #[derive(Debug, Serialize, Deserialize, Command)]
    #[command(name = "hall.take", reply = u32, rejection = String)]
    struct Take {
        seat: u32,
        by: String,
    }

    struct Seat {
        taken: u32,
    }

    impl Boundary for Seat {
        type Command = Take;
        type Event = HallEvent;
        const CATEGORY: &'static str = "hall";

        fn identify(_: &Take) -> String {
            "one".into()
        }

        fn query(command: &Take) -> TagQuery {
            TagQuery::tagged(Tags::of("seat", command.seat))
        }

        fn begin(_: &Take) -> Self {
            Self { taken: 0 }
        }

        fn evolve(self, _: &HallEvent) -> Self {
            Self { taken: self.taken + 1 }
        }

        /// Who calls himself careless takes another seat than he asks for.
        fn decide(&self, command: &Take, _: &Context<'_>) -> Result<Decision<HallEvent, u32>, String> {
            if self.taken > 0 {
                return Err("taken".into());
            }
            let seat = if command.by == "careless" { command.seat + 1 } else { command.seat };
            let taken = Decision::new(vec![Taken { seat, by: command.by.clone() }.into()], self.taken);
            let lapse = format!("lapse of {seat}");
            let planned = taken.cancel(&lapse).schedule_as(lapse, take(seat, "nobody"), Later::After(DAY));
            Ok(planned.take("hall.guest", &command.by).release("hall.waiting", &command.by))
        }

        fn claimed(_: &Take, claim: &ClaimName) -> Option<String> {
            (claim.scope == "hall.guest").then(|| format!("{} has a seat", claim.value))
        }
    }

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn take(seat: u32, by: &str) -> Take {
        Take { seat, by: by.into() }
    }

    fn taken(seat: u32, by: &str) -> HallEvent {
        Taken { seat, by: by.into() }.into()
    }

    #[test]
    fn only_what_the_query_is_about_counts() {
        given_nothing().when::<Seat>(take(1, "ada")).then([taken(1, "ada")]).replies(0_u32);
        given([taken(2, "bob")]).when::<Seat>(take(1, "ada")).then([taken(1, "ada")]);
        given([taken(1, "bob")]).when::<Seat>(take(1, "ada")).then_rejected("taken");
    }

    /// TM-09: what a boundary plans, takes back and claims is told as that of an aggregate is.
    #[test]
    fn plans_and_claims_are_told() {
        let decided = || {
            let asked = given_nothing().at(NOW.plus(DAY)).when::<Seat>(take(1, "ada"));
            let asked = asked.then_if_claimed("hall.guest", "ada", "ada has a seat".to_owned());
            asked.then_if_claimed("hall.waiting", "ada", None).then([taken(1, "ada")])
        };
        let lapses = |when| [taken_back("lapse of 1"), later_as("lapse of 1", take(1, "nobody"), when)];
        let planned = decided().plans(lapses(Later::After(DAY))).plans(lapses(Later::At(NOW.plus(2 * DAY))));
        planned.takes([("hall.guest", "ada")]).releases([("hall.waiting", "ada")]);
        assert!(catch_unwind(|| decided().plans([])).is_err());
        assert!(catch_unwind(|| decided().plans(lapses(Later::At(NOW.plus(DAY))))).is_err());
        assert!(catch_unwind(|| decided().plans([later(take(1, "nobody"), Later::After(DAY))])).is_err());
        assert!(catch_unwind(|| decided().takes([])).is_err());
        assert!(catch_unwind(|| decided().releases([])).is_err());
    }

    #[test]
    fn what_does_not_hold_fails() {
        assert!(catch_unwind(|| given_nothing().when::<Seat>(take(1, "ada")).then_nothing()).is_err());
        assert!(
            catch_unwind(|| given_nothing().when::<Seat>(take(1, "ada")).then_rejected("taken")).is_err()
        );
        assert!(catch_unwind(|| given([taken(1, "b")]).when::<Seat>(take(1, "a")).then_nothing()).is_err());
        let careless = || given_nothing().when::<Seat>(take(1, "careless")).then([taken(2, "careless")]);
        assert!(catch_unwind(careless).is_err(), "its query is not about what it leads to");
    }
}
