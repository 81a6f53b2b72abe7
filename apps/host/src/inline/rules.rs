//! Which inline projections run in this process, and what is known of each.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{
    Mutex, Notify, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch,
};
use umbel_bus::Store;
use umbel_core::{
    Changes, EventName, EventSet, Mode, Position, Projection, RecordedEvent,
    projection::Verdict,
    store::{Generation, ListProjections, Phase, StoreError},
};

/// The inline projections of one bus, each version of a rule once.
#[derive(Debug, Default)]
pub(crate) struct Inlines(std::sync::RwLock<Arc<[Arc<Rule>]>>);

/// An inline projection, with its type erased.
pub(crate) struct Rule {
    pub(super) name: &'static str,
    version: u32,
    events: &'static [&'static str],
    project: fn(&RecordedEvent) -> Result<Changes, String>,
    /// What is known of its generation that serves, or of the one that is built; `None`: there is neither.
    stands: watch::Sender<Option<Stands>>,
    /// How far the documents have come that readers get.
    progress: watch::Sender<Position>,
    /// Those who append its events hold this; who must not be overtaken by them holds it alone.
    quiet: Arc<RwLock<()>>,
    /// Those who have found documents changed by others take turns, or the fastest would always win.
    turns: Arc<Mutex<()>>,
    /// Wakes who follows the log for it: something is not as it was believed.
    changed: Notify,
    /// How long an append waits for its documents where it does not write them.
    pub(super) patience: Duration,
}

/// A generation by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    pub(crate) checkpoint: String,
    /// Whether appends write its documents.
    pub(crate) joined: bool,
    /// Whether readers get its documents; else it is built to take the place of those that they get.
    pub(crate) serves: bool,
}

/// As long as it lives, nobody in this process appends events of the rule.
pub(crate) struct Quiet(#[expect(dead_code, reason = "it is held")] OwnedRwLockWriteGuard<()>);

impl Inlines {
    /// Knows a rule from now on, in the place of the same one of before.
    pub(crate) fn register(&self, rule: &Arc<Rule>) {
        let mut rules = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let others = rules.iter().filter(|one| one.key() != rule.key());
        let mut all: Vec<_> = others.chain([rule]).map(Arc::clone).collect();
        // Those who take turns on several do so in one order.
        all.sort_by_key(|rule| rule.key());
        *rules = all.into();
    }

    /// The rules that are about one of these events.
    pub(super) fn about(&self, names: &[EventName]) -> Vec<Arc<Rule>> {
        let rules = Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        rules.iter().filter(|rule| names.iter().any(|name| rule.is_about(name))).map(Arc::clone).collect()
    }
}

impl Rule {
    /// The rule of a projection that is inline.
    pub(crate) fn of<P: Projection>(progress: watch::Sender<Position>, patience: Duration) -> Option<Self> {
        (P::MODE == Mode::Inline).then(|| Self {
            name: P::NAME,
            version: P::VERSION,
            events: P::Event::NAMES,
            project: project::<P>,
            stands: watch::Sender::new(None),
            progress,
            quiet: Arc::default(),
            turns: Arc::default(),
            changed: Notify::new(),
            patience,
        })
    }

    const fn key(&self) -> (&'static str, u32) {
        (self.name, self.version)
    }

    pub(super) fn is_about(&self, event: &str) -> bool {
        self.events.contains(&event)
    }

    /// What an event changes, before its place in the log is known.
    pub(super) fn project(&self, event: &RecordedEvent) -> Result<Changes, String> {
        (self.project)(event)
    }

    /// Notes which of these generations serves, if it is of this version of the rule, and whether appends write its documents; or which one is
    /// built by it. Who appends says of that one, too, that they do not write it: or those who do not know yet that it has begun to
    /// serve would leave it behind with what they append, and answer before readers get that.
    pub(crate) fn note(&self, kept: &[Generation]) {
        let own = |phase| kept.iter().rfind(|one| one.phase == phase && one.version == self.version);
        // One that was made for other events is no concern of those who append: whoever follows the log projects them.
        let serving = own(Phase::Serving).filter(|one| one.inline.is_empty() || self.is_for(one));
        let known = serving.or_else(|| own(Phase::Building).filter(|one| self.is_for(one)));
        let stands = known.map(|one| Stands {
            checkpoint: one.checkpoint(),
            joined: one.joined,
            serves: one.phase == Phase::Serving,
        });
        self.stands.send_if_modified(|before| {
            let is_news = *before != stands;
            *before = stands;
            is_news
        });
    }

    /// Whether a generation was made for just the events that this rule is about.
    pub(crate) fn is_for(&self, generation: &Generation) -> bool {
        let all = |names: &[String]| self.events.iter().all(|event| names.iter().any(|name| name == event));
        all(&generation.inline) && generation.inline.iter().all(|name| self.is_about(name))
    }

    /// What is known of its generation, and a place among those who append its events.
    pub(super) async fn stands(&self) -> (Option<Stands>, OwnedRwLockReadGuard<()>) {
        let place = Arc::clone(&self.quiet).read_owned().await;
        (self.stands.borrow().clone(), place)
    }

    /// Looks what the store has: something was not as it was believed.
    pub(super) async fn look(&self, store: &Store) -> Result<(), StoreError> {
        let listed = ListProjections { projection: Some(self.name.to_owned()) };
        self.note(&store.list_projections(listed).await?);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a turn among those who found documents changed.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turns).lock_owned().await
    }

    /// Waits until whoever appends its events has done so, and keeps others from it.
    pub(crate) async fn quiet(&self) -> Quiet {
        Quiet(Arc::clone(&self.quiet).write_owned().await)
    }

    /// Resolves when somebody has found that something is not as it was believed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Its documents show what was appended up to here, as the append has written them.
    pub(crate) fn shows(&self, position: Position) {
        self.progress.send_if_modified(|reached| {
            let is_news = *reached < position;
            *reached = position.max(*reached);
            is_news
        });
    }

    /// Resolves when its documents show what was appended up to here.
    pub(super) async fn passes(&self, position: Position) {
        // The sender is here, so it is never gone.
        drop(self.progress.subscribe().wait_for(|reached| *reached >= position).await);
    }
}

/// What one event changes. One that the rule cannot project, and wants passed over, changes nothing.
fn project<P: Projection>(recorded: &RecordedEvent) -> Result<Changes, String> {
    let error = match crate::projection::project::<P>(recorded) {
        Ok(changes) => return Ok(changes),
        Err(error) => error,
    };
    let verdict = catch_unwind(AssertUnwindSafe(|| P::on_error(&error, recorded, 1)));
    if verdict.unwrap_or(P::FAILING.verdict()) == Verdict::Skip {
        tracing::error!(projection = P::NAME, stream = %recorded.stream, version = %recorded.version, error,
            "an event that cannot be projected is skipped");
        return Ok(Changes::default());
    }
    Err(error)
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
