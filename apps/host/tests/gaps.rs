//! Aggregates whose streams do not show all of their events any more.

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, ExpectedVersion, Gap, Gaps, StreamName, Version,
    store::{Act, LinkEvents, Removal},
};
use umbel_host::{App, DispatchError, StateError, state_at};

use crate::{
    bank::{Account, AccountEvent, Deposited, Withdrawn, deposit, withdraw},
    event_handlers::perform,
    pot::{self, Pot, fill},
    stores::on_every_store,
    world::*,
};

/// An account whose balance counts from whatever its stream still shows.
#[derive(Debug, Default, PartialEq)]
struct Recent(i64);

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "recent.top_up", reply = i64, rejection = String)]
struct TopUp {
    account: String,
}

impl Aggregate for Recent {
    const CATEGORY: &'static str = "account";
    const GAPS: Gaps = Gaps::Skip;
    type Event = AccountEvent;
    type Commands = (TopUp,);

    fn evolve(self, event: &AccountEvent) -> Self {
        match event {
            AccountEvent::Deposited(Deposited { amount }) => Self(self.0 + amount),
            AccountEvent::Withdrawn(Withdrawn { amount }) => Self(self.0 - amount),
            _ => self,
        }
    }
}

impl Decide<TopUp> for Recent {
    fn identify(command: &TopUp) -> String {
        command.account.clone()
    }

    fn decide(&self, _: &TopUp, _: &Context<'_>) -> Result<Decision<AccountEvent, i64>, String> {
        Ok(Decision::new(vec![Deposited { amount: 1000 }.into()], self.0))
    }
}

fn recent() -> App {
    App::new("recent").aggregate::<Recent>()
}

fn account(id: &str) -> StreamName {
    StreamName::of("account", id).unwrap()
}

fn gap(stream: StreamName, first: u64, last: u64) -> Gap {
    Gap { stream, first: Version::new(first), last: Version::new(last) }
}

async fn truncate(world: &World, stream: StreamName, before: u64, removal: Removal) {
    perform(world, Act::TruncateStream { stream, before: Version::new(before), removal }).await;
}

/// AG-04: given a stream that was truncated, without a snapshot that covers what is missing, then commands and questions are refused with
/// what is missing, and nothing is stored; an aggregate that says that it bears gaps goes on with what there is.
#[test]
fn a_gap_stops_an_aggregate_unless_it_bears_it() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for (id, before, removal, missing) in [
            ("soft", 3, Removal::Soft, 2),
            ("hard", 3, Removal::Hard, 2),
            ("all", 4, Removal::Soft, 3),
            ("all-hard", 4, Removal::Hard, 3),
        ] {
            for amount in [1, 10, 100] {
                world.deposit_behind_its_back(id, amount).await;
            }
            truncate(&world, account(id), before, removal).await;
            let head = world.head().await;
            let gap = |last| gap(account(id), 1, last);
            assert_eq!(
                world.bus.dispatch(deposit(id, 1)).await,
                Err(DispatchError::Incomplete(gap(missing))),
                "{id}"
            );
            for (at, last) in [(None, missing), (Some(1), 1), (Some(2), 2), (Some(3), missing)] {
                let told = state_at::<Account>(&world.bus.store(), id, at.map(Version::new)).await;
                assert_eq!(told, Err(StateError::Incomplete(gap(last))), "{id} at {at:?}");
            }
            assert_eq!(world.head().await, head, "nothing is stored");
            let left = if missing == 2 { 100 } else { 0 };
            for (at, expected) in [(None, left), (Some(1), 0), (Some(2), 0), (Some(3), left)] {
                let at = at.map(Version::new);
                let told = state_at::<Recent>(&world.bus.store(), id, at).await.unwrap();
                assert_eq!(told, (Recent(expected), at.unwrap_or(Version::new(3))), "{id} at {at:?}");
            }
        }
        world.stop().await;
        let world = World::with(&store, &[recent()], settings()).await;
        for (id, left) in [("soft", 100), ("all-hard", 0)] {
            for balance in [left, left + 1000] {
                let done = world.bus.dispatch(TopUp { account: id.into() }).await.unwrap();
                assert_eq!(done.reply, balance, "{id}");
            }
        }
        world.stop().await;
    });
}

/// AG-04: given a live aggregate that knew what was removed, then it goes on; one that had not followed that far does not.
#[test]
fn who_knew_what_was_removed_goes_on() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for amount in [1, 10] {
            world.bus.dispatch(deposit("ada", amount)).await.unwrap();
        }
        truncate(&world, account("ada"), 3, Removal::Hard).await;
        assert_eq!(world.bus.dispatch(deposit("ada", 100)).await.unwrap().reply, 111);
        world.deposit_behind_its_back("ada", 1000).await;
        assert_eq!(world.bus.dispatch(withdraw("ada", 1111)).await.unwrap().reply, 0, "nothing is missing");
        for amount in [5, 6] {
            world.deposit_behind_its_back("ada", amount).await;
        }
        truncate(&world, account("ada"), 7, Removal::Hard).await;
        let lost = Err(DispatchError::Incomplete(gap(account("ada"), 6, 6)));
        assert_eq!(world.bus.dispatch(withdraw("ada", 1)).await, lost);
        world.stop().await;
    });
}

/// AG-04, AG-07: given a snapshot that covers what is missing, then nothing is missing, also to an aggregate that lived before another
/// node took it.
#[test]
fn a_snapshot_covers_what_is_missing() {
    on_every_store(async |store| {
        let pot = || StreamName::of("pot", "p").unwrap();
        let here = World::with(&store, &[pot::app()], settings()).await;
        let there = World::with(&store, &[pot::app()], settings()).await;
        here.bus.dispatch(fill("p", 1)).await.unwrap();
        for amount in [10, 100, 1000] {
            there.bus.dispatch(fill("p", amount)).await.unwrap();
        }
        let taken = loop {
            match there.bus.store().load_snapshot(pot()).await.unwrap() {
                Some(snapshot) => break snapshot.version,
                None => pause().await,
            }
        };
        truncate(&there, pot(), taken.get() + 1, Removal::Hard).await;
        assert_eq!(here.bus.dispatch(fill("p", 5)).await.unwrap().reply, 1116);
        let (state, _) = state_at::<Pot>(&here.bus.store(), "p", None).await.unwrap();
        assert_eq!(state.level, 1116);
        // Whoever could take another one is gone.
        here.stop().await;
        there.stop().await;
        let world = World::with(&store, &[], settings()).await;
        world.bus.store().delete_snapshot(pot()).await.unwrap();
        let told = state_at::<Pot>(&world.bus.store(), "p", None).await;
        assert_eq!(told, Err(StateError::Incomplete(gap(pot(), 1, taken.get()))));
        world.stop().await;
    });
}

/// AG-04: given a stream of links, when an event that one of them led to was removed for good, then what it leaves is a gap, too.
#[test]
fn a_link_that_is_gone_is_a_gap() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        let mut events = Vec::new();
        for (id, amount) in [("a", 1), ("b", 10), ("c", 100)] {
            world.deposit_behind_its_back(id, amount).await;
            events.push(world.history(id).await[0].id);
        }
        let link = LinkEvents { stream: account("links"), expected: ExpectedVersion::NoStream, events };
        world.bus.store().link(link).await.unwrap();
        let whole = state_at::<Account>(&world.bus.store(), "links", None).await.unwrap();
        assert_eq!((whole.0.balance, whole.1.get()), (111, 3));
        let (stream, expected, removal) = (account("b"), ExpectedVersion::Any, Removal::Hard);
        perform(&world, Act::DeleteStream { stream, expected, removal }).await;
        let told = state_at::<Account>(&world.bus.store(), "links", None).await;
        assert_eq!(told, Err(StateError::Incomplete(gap(account("links"), 2, 2))));
        let borne = state_at::<Recent>(&world.bus.store(), "links", None).await.unwrap();
        assert_eq!((borne.0.0, borne.1.get()), (101, 3));
        world.stop().await;
    });
}
