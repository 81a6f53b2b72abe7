//! Projections as actors: catch up by pages, then follow the log; each event's effect exactly once.
//!
//! Documents and checkpoint are committed together, and only if the checkpoint stands where this host believes;
//! so two nodes that run the same projection do each event's work once between them, whoever is faster.

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use umbel_bus::{Bus, RouteSet, Store};
use umbel_core::{
    EventSet, Position, Projection, RecordedEvent,
    document::{Changes, Direction, DocumentWrite},
    store::{AllPage, ReadAll, SaveProjection, SaveProjectionError, Selector, StoreError},
};
use umbel_supervision::{Drain, Tether, Worker};

use crate::settings::HostSettings;

/// The pause after a failure grows from the first to the last of these.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(50);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(5);

/// A checkpoint over events that changed no document is saved at least every so many events.
const IDLE_CHECKPOINT_EVERY: u64 = 10_000;

/// Runs one projection.
pub(crate) struct ProjectionHost<P> {
    follower: Option<Follower>,
    drain: watch::Sender<bool>,
    _projection: PhantomData<fn() -> P>,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

/// What following the log takes.
struct Follower {
    bus: Bus,
    store: Store,
    settings: HostSettings,
    /// The name its checkpoint is kept under.
    checkpoint: String,
    names: Arc<[String]>,
    /// The collections to empty before anything is projected, as no rule of this version has written them yet.
    /// Nothing once that is done, or not needed.
    to_clear: Vec<String>,
    progress: watch::Sender<Position>,
    /// What keeps it from going on, for those who ask.
    held_up: watch::Sender<Option<String>>,
    /// Up to here events are taken one by one: the changes of one of them have failed, and those before it need not
    /// wait for it.
    singly_to: Position,
    /// Where the checkpoint stands in the store.
    saved: Position,
    /// Everything up to here is in the documents.
    reached: Position,
}

/// Why a round failed. Nothing was saved; the same round is tried again.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("event at position {position}: {reason}")]
    Event { position: Position, reason: String },
    #[error("a document cannot be changed: {0}")]
    Document(String),
}

/// The worker that runs `P`.
pub(crate) fn worker<P: Projection>(app: &str, bus: Bus, settings: &HostSettings) -> Worker {
    let (owner, settings) = (format!("{app}/{}", P::NAME), settings.clone());
    Worker::new(P::NAME, move |context| {
        let (bus, owner, settings) = (bus.clone(), owner.clone(), settings.clone());
        async move {
            let checkpoint = format!("{}/{}", P::NAME, P::VERSION);
            let saved = bus.store().load_checkpoint(&checkpoint).await?;
            let (progress, reached) = watch::channel(saved);
            let (held_up, hindrance) = watch::channel(None);
            let begins = saved == Position::START;
            let owned = P::collections().into_iter().filter(|_| begins);
            let follower = Follower {
                to_clear: owned.map(|collection| collection.name.to_owned()).collect(),
                singly_to: Position::START,
                store: bus.store(),
                bus: bus.clone(),
                settings,
                checkpoint,
                names: P::Event::NAMES.iter().map(|&name| name.to_owned()).collect(),
                progress,
                held_up,
                saved,
                reached: saved,
            };
            let start = move |tether| {
                ProjectionHost::<P> {
                    follower: Some(follower),
                    drain: watch::Sender::new(false),
                    _projection: PhantomData,
                    _tether: tether,
                }
                .start()
            };
            let register = async move |host: actix::Addr<ProjectionHost<P>>| {
                let routes = RouteSet::new(owner).projects(P::NAME, P::Event::NAMES, reached, hindrance);
                #[cfg(feature = "faults")]
                let routes = routes.panics_at(host.clone().recipient());
                drop(host);
                anyhow::Ok(bus.register(routes).await?)
            };
            context.run_actor_once_up(start, register).await
        }
    })
}

impl Follower {
    /// Follows the log until told to stop, between two transactions. Failures are logged and tried again.
    async fn follow<P: Projection>(mut self, mut drain: watch::Receiver<bool>) {
        let mut head = self.bus.head();
        let mut pause = RETRY_MIN;
        while !*drain.borrow() {
            head.borrow_and_update();
            let outcome = self.round::<P>().await;
            self.tell(outcome.as_ref().err());
            match outcome {
                Ok(true) => pause = RETRY_MIN,
                Ok(false) => {
                    pause = RETRY_MIN;
                    let woken = async {
                        tokio::select! {
                            _ = head.changed() => {}
                            _ = drain.changed() => {}
                        }
                    };
                    // Elapsed: another process may have appended.
                    drop(timeout(self.settings.projection_poll(), woken).await);
                }
                Err(trouble) => {
                    tracing::error!(projection = P::NAME, reached = %self.reached, error = %trouble,
                        retry_in_ms = pause.as_millis(), "projection is held up");
                    tokio::select! {
                        () = sleep(pause) => {}
                        _ = drain.changed() => {}
                    }
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
        if self.reached > self.saved
            && let Err(error) = self.save(Vec::new(), self.reached).await
        {
            // Costs only that these events are looked at again.
            tracing::warn!(projection = P::NAME, %error, "checkpoint not saved while stopping");
        }
    }

    /// One page of the log; says whether there may be more right now.
    async fn round<P: Projection>(&mut self) -> Result<bool, Trouble> {
        if !self.to_clear.is_empty() {
            self.clear().await?;
        }
        let limit = if self.reached < self.singly_to { 1 } else { self.settings.projection_batch };
        let request = ReadAll {
            from: Some(self.reached.next()),
            direction: Direction::Forward,
            limit,
            selector: Selector { names: Some(Arc::clone(&self.names)), ..Selector::all() },
        };
        let page = self.store.read_all(request).await?;
        let (page_end, head) = (page.scanned_to.max(self.reached), page.head);
        let (changes, poison) = changes::<P>(page);
        // What comes before an event that cannot be projected is not held up by it.
        let scanned_to = poison.as_ref().map_or(page_end, |(before, _)| *before);
        if !changes.is_empty() {
            let writes = match self.load_and_apply(changes).await {
                Err(Trouble::Document(_)) if limit > 1 => {
                    self.singly_to = scanned_to;
                    return Ok(true);
                }
                writes => writes?,
            };
            self.save(writes, scanned_to).await?;
        } else if scanned_to.get() - self.saved.get() >= IDLE_CHECKPOINT_EVERY {
            self.save(Vec::new(), scanned_to).await?;
        } else {
            self.reached = scanned_to;
        }
        self.progress.send_replace(self.reached);
        match poison {
            Some((_, trouble)) => Err(trouble),
            None => Ok(page_end < head),
        }
    }

    /// Tells those who ask what holds it up, or that nothing does.
    fn tell(&self, trouble: Option<&Trouble>) {
        let now = trouble.map(ToString::to_string);
        self.held_up.send_if_modified(|before| {
            let changed = *before != now;
            *before = now;
            changed
        });
    }

    async fn load_and_apply(&self, changes: Changes) -> Result<Vec<DocumentWrite>, Trouble> {
        let keys = changes.keys();
        let bodies = self.store.get_documents(keys.clone()).await?;
        let loaded: BTreeMap<_, _> =
            keys.into_iter().zip(bodies).filter_map(|(key, body)| Some((key, body?))).collect();
        match catch_unwind(AssertUnwindSafe(|| changes.apply(loaded))) {
            Ok(writes) => writes.map_err(|error| Trouble::Document(error.to_string())),
            Err(_) => Err(Trouble::Document("the change panicked".to_owned())),
        }
    }

    /// Removes what an older version of the rule has left, unless another node has begun already: its documents are
    /// of this version.
    async fn clear(&mut self) -> Result<(), Trouble> {
        let request = SaveProjection {
            projection: self.checkpoint.clone(),
            expected: Position::START,
            position: Position::START,
            clear: self.to_clear.clone(),
            writes: Vec::new(),
        };
        self.commit(request).await?;
        self.to_clear.clear();
        Ok(())
    }

    /// Commits documents and checkpoint. When another node was faster, its place becomes ours.
    async fn save(&mut self, writes: Vec<DocumentWrite>, position: Position) -> Result<(), Trouble> {
        let (projection, expected) = (self.checkpoint.clone(), self.saved);
        self.commit(SaveProjection { projection, expected, position, clear: Vec::new(), writes }).await
    }

    async fn commit(&mut self, request: SaveProjection) -> Result<(), Trouble> {
        let position = request.position;
        let stands = match self.store.save_projection(request).await {
            Ok(()) => position,
            Err(SaveProjectionError::CheckpointMoved { actual }) => actual,
            Err(SaveProjectionError::Store(error)) => {
                // The outcome may be unknown: look where the checkpoint stands before the next round.
                self.saved = self.store.load_checkpoint(&self.checkpoint).await?;
                self.reached = self.saved;
                return Err(error.into());
            }
        };
        self.saved = stands;
        self.reached = stands;
        Ok(())
    }
}

/// The changes that a page of events makes. When one of them cannot be projected, those before it count, with the
/// position up to which they go and what is wrong.
fn changes<P: Projection>(page: AllPage) -> (Changes, Option<(Position, Trouble)>) {
    let mut changes = Changes::default();
    for recorded in page.events {
        match project::<P>(&recorded) {
            Ok(more) => changes.extend(more),
            Err(reason) => {
                let position = recorded.position;
                let before = Position::new(position.get().saturating_sub(1));
                return (changes, Some((before, Trouble::Event { position, reason })));
            }
        }
    }
    (changes, None)
}

/// The changes that one event makes. A panic of the rule is as lasting as any other reason: restarting cures neither.
fn project<P: Projection>(recorded: &RecordedEvent) -> Result<Changes, String> {
    let mut changes = Changes::default();
    for event in recorded.decode::<P::Event>().map_err(|error| error.to_string())? {
        catch_unwind(AssertUnwindSafe(|| P::project(event, recorded, &mut changes)))
            .map_err(|_| "the projection's rule panicked".to_owned())?;
    }
    Ok(changes)
}

impl<P: 'static> Actor for ProjectionHost<P>
where
    P: Projection,
{
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(follower) = self.follower.take() {
            let follow = follower.follow::<P>(self.drain.subscribe());
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
