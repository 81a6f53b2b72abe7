//! Projections as actors: catch up by pages, then follow the log; each event's effect exactly once.
//!
//! Documents and checkpoint are committed together, and only if the checkpoint stands where this host believes;
//! so two nodes that run the same projection do each event's work once between them, whoever is faster.
//!
//! A projection has a *generation* that serves, and at times one that is built beside it: by the next version of its rule, or because
//! somebody asked for a rebuild. `plan` tells which of them this node works on, `follower` sees to it that it does, `line` takes one of
//! them along the log, `page` knows what events lead to, and `hook` calls what an app wants called after commits.

mod follower;
mod hook;
mod line;
mod page;
mod plan;

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tokio::{sync::watch, time::sleep};
use umbel_bus::{Bus, RouteSet, Stand, Store};
use umbel_core::{
    EventSet, Mode, Position, Projection,
    document::Collection,
    store::{Generation, ListProjections, OpenProjection, OpenTables, Phase, StoreError, TablesError},
    tables,
};
use umbel_supervision::{Drain, Tether, Worker};

pub use self::hook::Committed;
use self::{follower::Follower, plan::Plan};
pub(crate) use self::{hook::Hook, page::project};
use crate::{
    inline::{Inlines, Rule},
    settings::HostSettings,
};

/// Runs one projection.
pub(crate) struct ProjectionHost<P: Projection> {
    work: Option<(Follower<P>, Vec<Generation>)>,
    drain: watch::Sender<bool>,
    _projection: PhantomData<fn() -> P>,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

impl<P: Projection> ProjectionHost<P> {
    /// Follows from these generations on, until it is told to drain.
    fn over(
        follower: Follower<P>,
        kept: Vec<Generation>,
        drain: watch::Sender<bool>,
        tether: Tether,
    ) -> Self {
        Self { work: Some((follower, kept)), drain, _projection: PhantomData, _tether: tether }
    }
}

/// The worker that runs `P`, and calls the hook, if there is one, after commits.
pub(crate) fn worker<P: Projection>(
    app: &str,
    bus: Bus,
    settings: &HostSettings,
    hook: Option<Hook<P::Event>>,
) -> Worker {
    let (owner, settings) = (format!("{app}/{}", P::NAME), settings.clone());
    Worker::new(P::NAME, move |context| {
        let (bus, owner, settings, hook) = (bus.clone(), owner.clone(), settings.clone(), hook.clone());
        async move {
            check::<P>(hook.is_some())?;
            let store = bus.store();
            let kept = tokio::select! {
                kept = once_there(P::NAME, &settings, async || open::<P>(&store).await) => kept?,
                () = context.stopping() => return Ok(()),
            };
            let serving = kept.iter().find(|one| one.phase == Phase::Serving);
            let (progress, position) = watch::channel(serving.map_or(Position::START, |one| one.position));
            let (held_up, hindrance) = watch::channel(None);
            let (told, beside) = watch::channel(None);
            let is_elsewhere = Plan::of(&kept, P::VERSION).serving.is_none();
            let (elsewhere, may_be_elsewhere) = watch::channel(is_elsewhere);
            let stand = Stand { position, held_up: hindrance, beside, elsewhere: may_be_elsewhere };
            let rule = Rule::of::<P>(progress.clone(), settings.inline_patience()).map(Arc::new);
            if let Some(rule) = &rule {
                rule.note(&kept);
                bus.common::<Inlines>().register(rule);
            }
            let drain = watch::Sender::new(false);
            let follower = Follower {
                store: bus.store(),
                bus: bus.clone(),
                settings,
                names: P::Event::NAMES.iter().map(|&name| name.to_owned()).collect(),
                is_former: false,
                hook,
                left: Mutex::default(),
                rule,
                joined: Mutex::default(),
                progress,
                elsewhere,
                troubles: follower::Troubles { held_up, beside: told },
                drain: drain.subscribe(),
            };
            let start = move |tether| ProjectionHost::<P>::over(follower, kept, drain, tether).start();
            let register = async move |host: actix::Addr<ProjectionHost<P>>| {
                let routes = RouteSet::new(owner).follows(P::NAME, true, P::Event::NAMES, stand);
                #[cfg(feature = "faults")]
                let routes = routes.panics_at(host.clone().recipient());
                drop(host);
                anyhow::Ok(bus.register(routes).await?)
            };
            context.run_actor_once_up(start, register).await
        }
    })
}

/// The worker that applies the rule of an older version to the documents that readers get, as long as they are of that version. Nobody waits for
/// it by name: those who wait for the projection look in the store how far these documents have come.
pub(crate) fn former_worker<P: Projection>(bus: Bus, settings: &HostSettings) -> Worker {
    let settings = settings.clone();
    Worker::new(format!("{}/{}", P::NAME, P::VERSION), move |context| {
        let (bus, settings) = (bus.clone(), settings.clone());
        async move {
            check::<P>(false)?;
            let store = bus.store();
            let kept = tokio::select! {
                kept = once_there(P::NAME, &settings, async || Ok(list::<P>(&store).await?)) => kept?,
                () = context.stopping() => return Ok(()),
            };
            let (progress, drain) = (watch::Sender::new(Position::START), watch::Sender::new(false));
            let rule = Rule::of::<P>(progress.clone(), settings.inline_patience()).map(Arc::new);
            if let Some(rule) = &rule {
                rule.note(&kept);
                bus.common::<Inlines>().register(rule);
            }
            let follower = Follower {
                store: bus.store(),
                bus,
                settings,
                names: P::Event::NAMES.iter().map(|&name| name.to_owned()).collect(),
                is_former: true,
                hook: None,
                left: Mutex::default(),
                rule,
                joined: Mutex::default(),
                progress,
                elsewhere: watch::Sender::new(true),
                troubles: follower::Troubles {
                    held_up: watch::Sender::new(None),
                    beside: watch::Sender::new(None),
                },
                drain: drain.subscribe(),
            };
            let start = move |tether| ProjectionHost::<P>::over(follower, kept, drain, tether).start();
            context
                .run_actor_once_up(start, async |host| {
                    drop(host);
                    Ok(())
                })
                .await
        }
    })
}

/// Asks until the store is there: to begin anew would not bring it back.
async fn once_there<T>(
    projection: &str,
    settings: &HostSettings,
    mut ask: impl AsyncFnMut() -> Result<T, TablesError>,
) -> Result<T, TablesError> {
    let mut pause = settings.store_retry_min();
    loop {
        match ask().await {
            Err(TablesError::Store(StoreError::Unavailable { reason })) => {
                tracing::warn!(projection, reason, "waits for the store");
            }
            answer => return answer,
        }
        sleep(pause).await;
        pause = settings.store_retry_after(pause);
    }
}

/// Whether the declaration can be carried out.
fn check<P: Projection>(is_hooked: bool) -> anyhow::Result<()> {
    let name = P::NAME;
    anyhow::ensure!(
        P::MODE == Mode::Following || P::tables().is_empty(),
        "{name} is inline and declares tables, which appends do not write: declare Mode::Following, or keep documents only",
    );
    anyhow::ensure!(
        P::MODE == Mode::Following || !is_hooked,
        "{name} is inline and has a hook, which appends do not call: declare Mode::Following, or a handler of its events instead",
    );
    Ok(())
}

/// The events that appends project for `P`, if they do.
fn inline_events<P: Projection>() -> Vec<String> {
    match P::MODE {
        Mode::Inline => P::Event::NAMES.iter().map(|&name| name.to_owned()).collect(),
        Mode::Following => Vec::new(),
    }
}

/// What the store has of `P`.
async fn list<P: Projection>(store: &Store) -> Result<Vec<Generation>, StoreError> {
    store.list_projections(ListProjections { projection: Some(P::NAME.to_owned()) }).await
}

/// What `P` asks of the store before all else, and now and then.
async fn open<P: Projection>(store: &Store) -> Result<Vec<Generation>, TablesError> {
    let invalid = |error| TablesError::Invalid { projection: P::NAME.to_owned(), error };
    let tables = tables::creation(&P::tables()).map_err(invalid)?;
    let indexes = |collection: &Collection| {
        let (name, indexes) = (collection.name, collection.indexes);
        let indexes = indexes.iter().map(move |index| format!("{name}/{index}"));
        indexes.chain([format!("{name}/")]).collect::<Vec<_>>()
    };
    let collections = P::collections();
    let opening = OpenProjection {
        inline: inline_events::<P>(),
        indexes: collections.iter().flat_map(indexes).collect(),
        projection: P::NAME.to_owned(),
        version: P::VERSION,
        collections: collections.into_iter().map(|collection| collection.name.to_owned()).collect(),
    };
    if tables.is_empty() {
        Ok(store.open_projection(opening).await?)
    } else {
        store.open_tables(OpenTables { opening, tables }).await
    }
}

impl<P: Projection> Actor for ProjectionHost<P> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some((follower, kept)) = self.work.take() {
            let follow = follower.follow(kept);
            context.spawn(follow.into_actor(self).map(|(), _, context: &mut Self::Context| context.stop()));
        }
    }
}

impl<P: Projection> Handler<Drain> for ProjectionHost<P> {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.drain.send_replace(true);
    }
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([P: Projection] ProjectionHost<P>);

#[cfg(test)]
mod tests {
    use umbel_core::{Changes, Event, RecordedEvent, Table, events};

    use super::*;

    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, Event)]
    #[event(name = "test.told")]
    struct Told;

    events! {
        enum Any { Told(Told) }
    }

    struct Tabled;

    impl Projection for Tabled {
        const NAME: &'static str = "test.tabled";
        const MODE: Mode = Mode::Inline;
        type Event = Any;

        fn collections() -> Vec<Collection> {
            Vec::new()
        }

        fn tables() -> Vec<Table> {
            vec![Table::new("t", "id bigint PRIMARY KEY")]
        }

        fn project(_: Any, _: &RecordedEvent, _: &mut Changes) {}
    }

    struct Hooked;

    impl Projection for Hooked {
        const NAME: &'static str = "test.hooked";
        const MODE: Mode = Mode::Inline;
        type Event = Any;

        fn collections() -> Vec<Collection> {
            Vec::new()
        }

        fn project(_: Any, _: &RecordedEvent, _: &mut Changes) {}
    }

    /// PJ-09: what appends cannot do is refused where it is declared.
    #[test]
    fn an_inline_projection_has_no_tables_and_no_hook() {
        check::<Hooked>(false).unwrap();
        for (refused, name) in
            [(check::<Tabled>(false), "test.tabled"), (check::<Hooked>(true), "test.hooked")]
        {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains("Mode::Following"), "{refused}");
        }
    }
}
