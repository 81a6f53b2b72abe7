//! Aggregates whose category got another name: what was begun goes on under the name it has.

use std::{marker::PhantomData, time::Duration};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, Event, StreamName, Version, events,
    schedule::{Scheduled, When, queue_of},
    store::{Act as Upkeep, ReadOutbox, Removal},
    version::ExpectedVersion,
};
use umbel_host::{App, state_at};

use crate::{event_handlers::perform, stores::on_every_store, world::*};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "jar.filled")]
struct Filled(u64);

events! { enum JarEvent { Filled(Filled) } }

/// Fills a jar, claims its label, and plans under a name that more is filled in some time.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "jar.fill", reply = u64, rejection = String)]
struct Fill {
    jar: String,
    label: String,
}

trait Age: Send + Unpin + 'static {
    const CATEGORY: &'static str;
    const FORMERLY: &'static [&'static str];
}

struct Before;
struct Today;

impl Age for Before {
    const CATEGORY: &'static str = "jar";
    const FORMERLY: &'static [&'static str] = &[];
}

impl Age for Today {
    const CATEGORY: &'static str = "pot";
    const FORMERLY: &'static [&'static str] = &["tub", "jar"];
}

struct Jar<A>(u64, PhantomData<fn() -> A>);

impl<A> Default for Jar<A> {
    fn default() -> Self {
        Self(0, PhantomData)
    }
}

impl<A: Age> Aggregate for Jar<A> {
    const CATEGORY: &'static str = A::CATEGORY;
    const FORMERLY: &'static [&'static str] = A::FORMERLY;
    type Event = JarEvent;
    type Commands = (Fill,);

    fn evolve(self, JarEvent::Filled(Filled(count)): &JarEvent) -> Self {
        Self(self.0 + count, PhantomData)
    }
}

impl<A: Age> Decide<Fill> for Jar<A> {
    fn identify(command: &Fill) -> String {
        command.jar.clone()
    }

    fn decide(&self, command: &Fill, _: &Context<'_>) -> Result<Decision<JarEvent, u64>, String> {
        let decision = Decision::new(vec![Filled(1).into()], self.0 + 1);
        let decision = decision.take("jar.label", &command.label);
        Ok(decision.schedule_as("more", command.clone(), When::After(Duration::from_secs(3600))))
    }
}

fn app<A: Age>() -> App {
    App::new("jar").aggregate::<Jar<A>>()
}

fn fill(jar: &str, label: &str) -> Fill {
    Fill { jar: jar.into(), label: label.into() }
}

/// EH-13: given an aggregate whose category is another one now, then streams that were begun before are gone on with under the names they
/// have: their state, their version, their claims and their plans are theirs. What begins now has the new category.
#[test]
fn streams_of_a_former_category_are_gone_on_with() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<Before>()], settings()).await;
        for count in 1..=2 {
            assert_eq!(world.bus.dispatch(fill("a", "plum")).await.unwrap().reply, count);
        }
        world.bus.dispatch(fill("gone", "fig")).await.unwrap();
        let named = |category: &str, id: &str| StreamName::of(category, id).unwrap();
        let (expected, removal) = (ExpectedVersion::Any, Removal::Soft);
        perform(&world, Upkeep::DeleteStream { stream: named("jar", "gone"), expected, removal }).await;
        world.stop().await;

        let world = World::with(&store, &[app::<Today>()], settings()).await;
        let went_on = world.bus.dispatch(fill("a", "plum")).await.unwrap();
        assert_eq!((went_on.reply, went_on.version), (3, Some(Version::new(3))));
        assert_eq!(world.bus.dispatch(fill("b", "pear")).await.unwrap().reply, 1);
        assert_eq!(world.bus.dispatch(fill("b", "pear")).await.unwrap().reply, 2);
        let other = world.bus.dispatch(fill("b", "plum")).await;
        assert!(
            other.is_err_and(|error| error.to_string().contains("jar-a")),
            "the label is of the jar that has it"
        );
        assert!(world.bus.dispatch(fill("gone", "fig")).await.is_err(), "its name is used up");

        let version =
            async |stream| world.bus.store().stream_info(stream).await.map(|info| info.version.get());
        assert_eq!((version(named("jar", "a")).await, version(named("pot", "b")).await), (Ok(3), Ok(2)));
        assert!(version(named("pot", "a")).await.is_err() && version(named("pot", "gone")).await.is_err());
        let (state, at) = state_at::<Jar<Today>>(&world.bus.store(), "a", None).await.unwrap();
        assert_eq!((state.0, at), (3, Version::new(3)));
        let request = ReadOutbox { queue: queue_of(Fill::NAME), after: 0, limit: 10 };
        let waiting = world.bus.store().read_outbox(request).await.unwrap();
        let jars = waiting.iter().map(|one| one.entry.body.decode::<Scheduled>().unwrap().body);
        let mut jars: Vec<_> = jars.map(|body| body.json().decode::<Fill>().unwrap().jar).collect();
        jars.sort_unstable();
        assert_eq!(jars, ["a", "b", "gone"], "each named plan once");
        world.stop().await;
    });
}

/// A category that an aggregate had before is no other's.
#[test]
fn a_former_category_is_taken() {
    let both =
        App::new("jars").aggregate::<Jar<Before>>().include(App::new("pots").aggregate::<Jar<Today>>());
    let error = App::check([&both]).unwrap_err().to_string();
    assert!(error.contains("jar"), "{error}");
}
