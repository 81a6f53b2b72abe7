//! Waiting until what was stored has had its effect, here and on other nodes.
//!
//! Whoever runs in this process tells itself how far it has come. What other nodes do shows in the store, as checkpoints: these are
//! looked up with growing pauses, and only when other nodes have a part in the work. What other nodes run they tell each other through the
//! store, every now and then: [`Bus::listeners_elsewhere`].

use std::{collections::HashMap, future::pending, pin::pin, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};
use umbel_core::{
    EventName, Position,
    document::Direction,
    store::{ListProjections, ListSubscriptions, Listener, Phase, ReadAll, Selector, StoreError},
    subscription::SubscriptionName,
};

use crate::{
    handle::Bus,
    routes::{Progress, Stand},
};

/// Pauses between looks at stored checkpoints grow from the first to the last of these.
const LOOK_MIN: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_millis(100);

/// What must be visible before a dispatch returns. Of a handler that is all events that it is done with: also one that it skipped, or that
/// became a dead letter, counts, so the answer does not say that the effect is there.
///
/// What is awaited by a dispatch that does not say is the default of the app that owns the command, or else `bus.consistency`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Nothing: the events are stored, projections and handlers follow.
    #[default]
    Eventual,
    /// Every projection, and every handler that is declared strong, that listens to one of the events written, in this process or in
    /// another one on the same store. One that began elsewhere less than `store.processes_interval_ms` ago may not be known yet; one that
    /// nobody runs any more is not waited for. A handler that dispatches does not wait for one of this process that waits for it.
    Strong,
    /// The projections and handlers with these names. Those of other nodes count as well, by the checkpoints in the store. Of a projection
    /// that is what readers get, whichever version of it that is: `articles.list` and `articles.list/1` say the same.
    /// From within a handler, one of this process that waits for that handler is passed over, as with [`Self::Strong`].
    #[serde(skip)]
    Named(Vec<String>),
}

/// What apps say for the commands they own, by the commands' names.
pub(crate) type Defaults = HashMap<&'static str, Consistency>;

/// What a dispatch awaits before it returns.
#[derive(Clone, Debug)]
pub(crate) struct Awaits {
    what: Consistency,
    /// Whether that is only what `bus.consistency` says: the app that carries it out in another process may say otherwise.
    by_default: bool,
}

/// One that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    pub(crate) name: String,
    /// Whether it is waited for only as long as another process runs it.
    only_elsewhere: bool,
}

impl Awaits {
    /// Nothing beyond storage, whatever anybody else says.
    pub(crate) const fn nothing() -> Self {
        Self { what: Consistency::Eventual, by_default: false }
    }

    /// What is awaited once the app that carried it out elsewhere has had its say.
    pub(crate) fn given<'a>(&'a self, elsewhere: Option<&'a Consistency>) -> &'a Consistency {
        elsewhere.filter(|_| self.by_default).unwrap_or(&self.what)
    }
}

impl Consistency {
    /// Those to wait for. One that is named and unknown is waited for as well: nobody can say of it that the effect is visible. Handlers
    /// that themselves wait for this dispatch are not waited for.
    pub(crate) fn awaited(
        &self,
        (here, elsewhere): (&[Progress], &[Listener]),
        written: Option<&[EventName]>,
        within: &[&str],
    ) -> Vec<Awaited> {
        let listens =
            |one: &dyn Fn(&str) -> bool| written.is_none_or(|written| written.iter().any(|name| one(name)));
        let named = |name: &String| Awaited { name: name.clone(), only_elsewhere: false };
        let mut awaited: Vec<_> = match self {
            Self::Eventual => Vec::new(),
            Self::Named(names) => names.iter().map(named).collect(),
            Self::Strong => {
                let strong = here.iter().filter(|progress| progress.strong);
                let of_here = strong.filter(|progress| listens(&|name| progress.events.contains(&name)));
                let only_there = elsewhere.iter().filter(|there| {
                    here.iter().all(|progress| progress.name != there.name)
                        && listens(&|name| there.events.iter().any(|event| event == name))
                });
                let only_there =
                    only_there.map(|there| Awaited { name: there.name.clone(), only_elsewhere: true });
                let of_here =
                    of_here.map(|progress| Awaited { name: progress.name.to_owned(), only_elsewhere: false });
                of_here.chain(only_there).collect()
            }
        };
        awaited.retain(|one| !within.contains(&one.name.as_str()));
        awaited
    }
}

impl Bus {
    /// From now on dispatches of these commands that do not say what they await await this, whatever `bus.consistency` says.
    pub fn default_consistency(
        &self,
        commands: impl IntoIterator<Item = &'static str>,
        consistency: &Consistency,
    ) {
        let said: Defaults = commands.into_iter().map(|command| (command, consistency.clone())).collect();
        self.consistencies().rcu(|before| {
            let mut defaults = before.as_deref().cloned().unwrap_or_default();
            defaults.extend(said.clone());
            Some(Arc::new(defaults))
        });
    }

    /// What a dispatch of this command awaits.
    pub(crate) fn awaits(&self, command: &str, said: Option<Consistency>) -> Awaits {
        match said.or_else(|| self.said_by_app(command)) {
            Some(what) => Awaits { what, by_default: false },
            None => Awaits { what: self.settings().consistency.clone(), by_default: true },
        }
    }

    /// What the app of this process that owns the command says that dispatches of it await.
    pub(crate) fn said_by_app(&self, command: &str) -> Option<Consistency> {
        let defaults = self.consistencies().load();
        defaults.as_ref().and_then(|defaults| defaults.get(command)).cloned()
    }

    /// Waits until all of these have passed the position; those that have not by the deadline.
    pub(crate) async fn lagging(
        &self,
        awaited: Vec<Awaited>,
        position: Position,
        deadline: Instant,
    ) -> Vec<String> {
        let waits = awaited.into_iter().map(|one| async {
            let passed = timeout_at(deadline, self.passes(&one, position)).await;
            passed.err().map(|_| one.name)
        });
        join_all(waits).await.into_iter().flatten().collect()
    }

    /// Resolves when the projection or handler has passed the position, whichever of its incarnations does: while it is down
    /// this waits for the next.
    async fn passes(&self, awaited: &Awaited, position: Position) {
        let name = awaited.name.as_str();
        let mut tables = self.tables();
        loop {
            tables.borrow_and_update();
            let found = self.progress().into_iter().find(|progress| progress.name == name);
            let passed = async {
                match found {
                    Some(progress) => self.passed_by(name, progress.stand, position).await,
                    None => tokio::select! {
                        passed = self.passed_elsewhere(name, position) => passed,
                        () = self.left_elsewhere(awaited) => true,
                    },
                }
            };
            tokio::select! {
                passed = passed => if passed { return },
                changed = tables.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    continue;
                }
            }
            // It is gone from here: the next table tells what came after it.
            if tables.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether one that runs here has passed the position; `false` when it has ended before.
    async fn passed_by(&self, name: &str, stand: Stand, position: Position) -> bool {
        let Stand { position: mut reached, mut elsewhere, .. } = stand;
        let mut elsewhere = pin!(async {
            if elsewhere.wait_for(|elsewhere| *elsewhere).await.is_ok() {
                self.passed_elsewhere(name, position).await
            } else {
                pending().await
            }
        });
        tokio::select! {
            biased;
            here = reached.wait_for(|reached| *reached >= position) => here.is_ok(),
            passed = &mut elsewhere => passed,
        }
    }

    /// Resolves when no other process runs it any more, if that is what keeps others waiting for it.
    async fn left_elsewhere(&self, awaited: &Awaited) {
        if awaited.only_elsewhere {
            let mut elsewhere = self.listeners_elsewhere();
            let left = |there: &Arc<[Listener]>| there.iter().all(|listener| listener.name != awaited.name);
            if elsewhere.wait_for(left).await.is_ok() {
                return;
            }
        }
        pending::<()>().await;
    }

    /// Resolves, with `true`, when the checkpoints that are stored have passed the position, or nothing that is listened to lies between
    /// them and it: of what does not concern them the others save no checkpoints.
    async fn passed_elsewhere(&self, name: &str, position: Position) -> bool {
        let mut pause = LOOK_MIN;
        // What the log has behind a checkpoint never changes: it is searched once, where that stands still.
        let (mut last, mut searched) = (None, None);
        loop {
            let outcome = match self.stored_position(name).await {
                Ok(Some(stands)) if stands >= position => return true,
                Ok(stands) if stands == last && stands != searched => {
                    let is_done = self.is_done_at(name, stands, position).await;
                    searched = if is_done.is_ok() { stands } else { searched };
                    is_done
                }
                Ok(stands) => {
                    last = stands;
                    Ok(false)
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => tracing::debug!(name, %error, "cannot look how far it has come; looking again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    /// Whether what this one listens to has nothing behind its checkpoint up to the position; `false` where that is not known.
    async fn is_done_at(
        &self,
        name: &str,
        stands: Option<Position>,
        position: Position,
    ) -> Result<bool, StoreError> {
        let (Some(names), Some(stands)) = (self.listened_to(name), stands) else { return Ok(false) };
        let mut from = stands.next();
        loop {
            let selector = Selector { names: Some(Arc::clone(&names)), ..Selector::all() };
            let request = ReadAll { from: Some(from), direction: Direction::Forward, limit: 1, selector };
            let page = self.store().read_all(request).await?;
            match page.events.first() {
                Some(next) => return Ok(next.position > position),
                None if page.scanned_to >= position => return Ok(true),
                // What is at hand here may end before what others have stored.
                None if page.scanned_to >= from => from = page.scanned_to.next(),
                None => return Ok(false),
            }
        }
    }

    /// The names of the events that a projection or handler listens to, here or elsewhere; `None` for one that nobody is known to run.
    fn listened_to(&self, name: &str) -> Option<Arc<[String]>> {
        let here = self.progress().into_iter().find(|progress| progress.name == name);
        if let Some(here) = here {
            return Some(here.events.iter().map(|&name| name.to_owned()).collect());
        }
        let elsewhere = self.listeners_elsewhere();
        let there = elsewhere.borrow();
        there.iter().find(|there| there.name == name).map(|there| there.events.as_slice().into())
    }

    /// How far all nodes together have come: the least of the partitions' checkpoints, or the checkpoint of the generation of a projection
    /// that serves readers.
    async fn stored_position(&self, name: &str) -> Result<Option<Position>, StoreError> {
        let store = self.store();
        if let Ok(name) = SubscriptionName::new(name) {
            let request = ListSubscriptions { name: Some(name), after: None, limit: 1 };
            if let Some(subscription) = store.list_subscriptions(request).await?.pop() {
                // Places of a stream cannot be compared with positions of the log.
                let of_the_log = subscription.stream.is_none();
                let least = subscription.partitions.iter().map(|partition| partition.checkpoint).min();
                return Ok(least.filter(|_| of_the_log).map(|place| Position::new(place.get())));
            }
        }
        let projection = name.split_once('/').map_or(name, |(projection, _version)| projection);
        let listed = ListProjections { projection: Some(projection.to_owned()) };
        let generations = store.list_projections(listed).await?;
        match generations.iter().find(|one| one.phase == Phase::Serving) {
            Some(serving) => Ok(Some(serving.position)),
            None => Ok(Some(store.load_checkpoint(name).await?)),
        }
    }
}
