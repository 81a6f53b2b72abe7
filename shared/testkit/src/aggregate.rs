//! Given what happened, when this is asked, then that happens: tests of aggregates without a store.
//!
//! ```ignore
//! given::<Account>([registered()])
//!     .when(Rename { to: "Jacob".into() })
//!     .then([UsernameChanged { username: "Jacob".into() }])
//!     .takes([("accounts.username", "jacob")]);
//! ```
//!
//! Promises: events, replies and rejections are compared by what goes over the wire, so the types need no
//! `PartialEq`; every event, given or decided, is encoded and decoded on the way, so a state that only works in
//! memory fails here. Time and ids are the same in every run.

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

use std::{fmt::Debug, marker::PhantomData};

use serde::Serialize;
use serde_json::Value;
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, EncodedEvent, EventSet, EventType, Timestamp,
    schedule::Plans, store::ClaimName,
};
use uuid::Uuid;

use crate::plans::are_planned;

pub use crate::plans::{Later, Planned, later, later_as, taken_back};

/// The moment of every decision unless [`Given::at`] says otherwise: 2026-01-31T12:00:00Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);

/// The `n`th fresh id a decision gets, from 1.
#[must_use]
pub const fn fresh_id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// An aggregate with a past.
#[must_use]
pub struct Given<A> {
    state: A,
    now: Timestamp,
}

/// A command decided, and nothing said about the outcome yet.
#[must_use]
pub struct When<A: Decide<C>, C: Command> {
    command: C,
    now: Timestamp,
    outcome: Result<Decision<A::Event, C::Reply>, C::Rejection>,
}

/// A decision whose events were as expected.
pub struct Then<A, C: Command> {
    reply: C::Reply,
    take: Vec<ClaimName>,
    release: Vec<ClaimName>,
    plans: Plans,
    now: Timestamp,
    aggregate: PhantomData<A>,
}

/// An aggregate to which these events happened.
#[track_caller]
pub fn given<A: Aggregate>(past: impl IntoIterator<Item = impl Into<A::Event>>) -> Given<A> {
    let evolve = |state: A, event: A::Event| state.evolve(&over_the_wire(&event));
    Given { state: past.into_iter().map(Into::into).fold(A::default(), evolve), now: NOW }
}

/// An aggregate to which nothing has happened.
pub fn given_nothing<A: Aggregate>() -> Given<A> {
    Given { state: A::default(), now: NOW }
}

impl<A: Aggregate> Given<A> {
    /// The decision is made at this moment.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The command is decided.
    pub fn when<C: Command>(self, command: C) -> When<A, C>
    where
        A: Decide<C>,
    {
        let mut count = 0;
        let mut fresh_ids = || {
            count += 1;
            fresh_id(count)
        };
        let outcome = self.state.decide(&command, &Context::new(self.now, &mut fresh_ids));
        When { command, now: self.now, outcome }
    }

    /// The state itself, for the rare question that no command can answer.
    pub fn state(self) -> A {
        self.state
    }
}

impl<A: Decide<C>, C: Command> When<A, C> {
    /// Exactly these events happen, in this order.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = impl Into<A::Event>>) -> Then<A, C> {
        let expected: Vec<_> = expected.into_iter().map(|event| wire_form(&event.into())).collect();
        self.check(&expected)
    }

    /// The command is accepted, but nothing happens.
    #[track_caller]
    pub fn then_nothing(self) -> Then<A, C> {
        self.check(&[])
    }

    /// The domain says no, for this reason.
    #[track_caller]
    pub fn then_rejected(self, expected: impl Into<C::Rejection>) {
        match self.outcome {
            Err(rejection) => same(&rejection, &expected.into(), "the rejection"),
            Ok(decision) => panic!("expected a rejection, but these events happened: {:?}", decision.events),
        }
    }

    /// When another holds a claim that the decision wants, this is the reason it gets for a no.
    #[track_caller]
    pub fn then_if_claimed(
        self,
        scope: &str,
        value: &str,
        expected: impl Into<Option<C::Rejection>>,
    ) -> Self {
        let rejection = A::claimed(&self.command, &ClaimName::new(scope, value));
        same(&rejection, &expected.into(), "the rejection when the claim is taken");
        self
    }

    #[track_caller]
    fn check(self, expected: &[(EventType, Value)]) -> Then<A, C> {
        let now = self.now;
        match self.outcome {
            Err(rejection) => panic!("expected events, but the command was rejected: {rejection}"),
            Ok(Decision { events, reply, take, release, plans }) => {
                let events: Vec<_> = events.iter().map(|event| wire_form(&over_the_wire(event))).collect();
                assert_eq!(
                    events, expected,
                    "the events that happen (left) are not the expected ones (right)"
                );
                Then { reply, take, release, plans, now, aggregate: PhantomData }
            }
        }
    }
}

impl<A: Decide<C>, C: Command> Then<A, C> {
    /// The caller gets this answer.
    #[track_caller]
    pub fn replies(self, expected: impl Into<C::Reply>) -> Self {
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
}

impl<A: Decide<C>, C: Command> Then<A, C> {
    /// Exactly these are planned for later and taken back, in this order.
    #[track_caller]
    pub fn plans(self, expected: impl IntoIterator<Item = Planned>) -> Self {
        are_planned(&self.plans, expected, self.now);
        self
    }
}

/// The event as somebody reads it who knows only the log.
#[track_caller]
pub(crate) fn over_the_wire<E: EventSet>(event: &E) -> E {
    let EncodedEvent { event_type, data, .. } = encoded(event);
    match E::decode(&event_type, &data) {
        Ok(Some(event)) => event,
        Ok(None) => panic!("{event_type} is not of its own set"),
        Err(error) => panic!("the log would hold an event that cannot be read: {error}"),
    }
}

#[track_caller]
pub(crate) fn wire_form<E: EventSet>(event: &E) -> (EventType, Value) {
    let EncodedEvent { event_type, data, .. } = encoded(event);
    (event_type, data.decode().expect("encoded as JSON a moment ago"))
}

#[track_caller]
pub(crate) fn encoded<E: EventSet>(event: &E) -> EncodedEvent {
    event.encode().unwrap_or_else(|error| panic!("{event:?} cannot be encoded: {error}"))
}

#[track_caller]
pub(crate) fn same<T: Serialize + Debug>(actual: &T, expected: &T, what: &str) {
    let as_value =
        |value: &T| serde_json::to_value(value).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    assert_eq!(as_value(actual), as_value(expected), "{what} (left) is not the expected one (right)");
}

#[track_caller]
pub(crate) fn are_taken(claims: &[ClaimName], expected: &[(&str, &str)]) {
    assert_eq!(pairs(claims), expected, "the claims taken (left) are not the expected ones (right)");
}

#[track_caller]
pub(crate) fn are_released(claims: &[ClaimName], expected: &[(&str, &str)]) {
    assert_eq!(pairs(claims), expected, "the claims released (left) are not the expected ones (right)");
}

fn pairs(claims: &[ClaimName]) -> Vec<(&str, &str)> {
    claims.iter().map(|claim| (claim.scope.as_str(), claim.value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde::{Deserialize, Serialize};
    use umbel_core::{Event, events};

    use super::*;

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "bank.opened")]
    struct Opened {
        owner: String,
        at: Timestamp,
    }

    events! { enum BankEvent { Opened(Opened) } }

    #[derive(Debug, Serialize, Deserialize, Command)]
    #[command(name = "bank.open", reply = Uuid, rejection = String)]
    struct Open {
        owner: String,
    }

    #[derive(Default)]
    struct Bank {
        open: bool,
    }

    impl Aggregate for Bank {
        const CATEGORY: &'static str = "bank";
        type Event = BankEvent;
        type Commands = (Open,);

        fn evolve(self, BankEvent::Opened(_): &BankEvent) -> Self {
            Self { open: true }
        }
    }

    impl Decide<Open> for Bank {
        fn identify(command: &Open) -> String {
            command.owner.clone()
        }

        fn decide(&self, command: &Open, context: &Context<'_>) -> Result<Decision<BankEvent, Uuid>, String> {
            if self.open {
                return Err("already open".into());
            }
            let opened = Opened { owner: command.owner.clone(), at: context.now() };
            Ok(Decision::new(vec![opened.into()], context.fresh_id()).take("bank.owner", &command.owner))
        }

        fn claimed(_command: &Open, claim: &ClaimName) -> Option<String> {
            (claim.scope == "bank.owner").then(|| format!("{} has an account", claim.value))
        }
    }

    fn open() -> Open {
        Open { owner: "Ada".into() }
    }

    fn opened() -> Opened {
        Opened { owner: "Ada".into(), at: NOW }
    }

    #[test]
    fn what_holds_passes() {
        given_nothing::<Bank>()
            .when(open())
            .then_if_claimed("bank.owner", "Ada", "Ada has an account".to_owned())
            .then_if_claimed("bank.name", "Ada", None)
            .then([opened()])
            .replies(fresh_id(1))
            .takes([("bank.owner", "Ada")])
            .releases([]);
        given::<Bank>([opened()]).when(open()).then_rejected("already open");
        let later = NOW.plus(std::time::Duration::from_secs(1));
        given_nothing::<Bank>().at(later).when(open()).then([Opened { at: later, ..opened() }]);
    }

    #[test]
    fn what_does_not_hold_fails() {
        assert!(catch_unwind(|| given_nothing::<Bank>().when(open()).then_nothing()).is_err());
        assert!(catch_unwind(|| given_nothing::<Bank>().when(open()).then_rejected("already open")).is_err());
        assert!(catch_unwind(|| given::<Bank>([opened()]).when(open()).then([opened()])).is_err());
        assert!(catch_unwind(|| given::<Bank>([opened()]).when(open()).then_rejected("no")).is_err());
        assert!(catch_unwind(|| given_nothing::<Bank>().when(open()).then([opened()]).takes([])).is_err());
        let other = || given_nothing::<Bank>().when(open()).then([opened()]).replies(fresh_id(2));
        assert!(catch_unwind(other).is_err());
    }
}
