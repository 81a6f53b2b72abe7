//! Carries out commands that were planned for later.
//!
//! Each app that owns commands has one worker for those that are due: what becomes of them step by step is decided in
//! [`umbel_core::schedule`], this only obeys. Nodes that run the same app all look; the store lets one of them take what is due.

mod declared;
mod settings;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    mem,
    time::Duration,
};

use futures_util::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, timeout_at};
use umbel_bus::{Bus, Consistency, Cron, DispatchError, DispatchOptions, EncodedAnswer, edge};
use umbel_core::{
    CommandId, Json,
    schedule::{Run, Scheduled, Settled, queue_of, replace, set_aside},
    store::{Append, AppendError, ReadDue, StoreError, Waiting},
};
use umbel_supervision::{Stopping, Worker, WorkerContext};

pub(crate) use self::declared::Declared;
pub use self::settings::ScheduleSettings;

/// How often putting down what became of a command is tried before that is left to whoever takes it next.
const TRIES: u32 = 5;
/// The pause between two of these.
const PAUSE: Duration = Duration::from_millis(200);

/// How often recurring commands are looked for that the code declares: an operator, or a node with older code, may have taken one away.
const PLAN_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The worker of one app.
#[derive(Clone)]
struct Keeper {
    app: String,
    bus: Bus,
    settings: ScheduleSettings,
    /// Those of the app's commands.
    queues: BTreeSet<String>,
    declared: Vec<Declared>,
}

/// When this node first saw recurring commands that are due and that its code does not declare, by the number of their entry.
type Undeclared = HashMap<u64, Instant>;

/// Commands that are being carried out; each gives back its entry's number.
type Running = FuturesUnordered<LocalBoxFuture<'static, u64>>;

/// The worker that carries out the scheduled commands of an app, of those that it owns.
pub(crate) fn worker(
    app: &str,
    bus: Bus,
    settings: ScheduleSettings,
    commands: &[&'static str],
    declared: Vec<Declared>,
) -> Worker {
    let queues = commands.iter().map(|command| queue_of(command)).collect();
    // What has its last time while the app runs is no reason to fail when this worker is started again.
    let began = bus.clock().now();
    let keeper = Keeper { app: app.to_owned(), bus, settings, queues, declared };
    Worker::new("schedule", move |context: WorkerContext| {
        let keeper = keeper.clone();
        async move {
            for declared in &keeper.declared {
                declared.check(began)?;
            }
            context.ready();
            keeper.keep(context.stopping()).await;
            Ok(())
        }
    })
}

impl Keeper {
    /// Carries out what is due until told to stop, and then finishes what is under way.
    async fn keep(&self, stopping: Stopping) {
        let (mut work, mut running, mut numbers) = (self.bus.work(), Running::new(), HashSet::new());
        let (mut unplanned, mut planned_at) = (self.declared.clone(), Instant::now());
        let mut undeclared = Undeclared::new();
        loop {
            work.mark_unchanged();
            if planned_at.elapsed() > PLAN_AGAIN_AFTER {
                (unplanned, planned_at) = (self.declared.clone(), Instant::now());
            }
            let pause = match self.look(&mut unplanned, &mut undeclared, &running, &mut numbers).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(app = self.app, %error, "cannot see which scheduled commands are due");
                    self.settings.poll()
                }
            };
            tokio::select! {
                Some(number) = running.next() => { numbers.remove(&number); }
                _ = work.changed() => {}
                () = self.bus.clock().sleep(pause) => {}
                () = stopping.clone() => break,
            }
        }
        // What takes longer is due again on another node, or here, when its lease ends.
        let finished = async { while running.next().await.is_some() {} };
        drop(timeout_at(self.bus.default_deadline(), finished).await);
    }

    /// Begins what is due, as far as there is room; how long until there may be something to do.
    async fn look(
        &self,
        unplanned: &mut Vec<Declared>,
        undeclared: &mut Undeclared,
        running: &Running,
        numbers: &mut HashSet<u64>,
    ) -> anyhow::Result<Duration> {
        // One that cannot be planned keeps nothing else from being done.
        let mut left = Vec::new();
        for declared in mem::take(unplanned) {
            if let Err(error) = declared.plan(&self.app, &self.bus, self.bus.clock().now()).await {
                tracing::warn!(app = self.app, schedule = declared.name(), %error, "a recurring command is planned again later");
                left.push(declared);
            }
        }
        *unplanned = left;
        let (mut pause, room) = (self.settings.poll(), self.settings.in_flight_max);
        // Those that are left alone stand before others.
        let limit = room.saturating_add(u32::try_from(undeclared.len()).unwrap_or(u32::MAX));
        let (mut left_alone, now) = (Undeclared::new(), Instant::now());
        for queue in &self.queues {
            let (since, now) = (now, self.bus.clock().now());
            // As many as can be under way: those that are, and are not taken yet, may be among them.
            let page = self.bus.store().read_due(ReadDue { queue: queue.clone(), now, limit }).await?;
            for waiting in page.entries {
                if self.is_undeclared(&waiting) {
                    let seen_at = undeclared.get(&waiting.number).copied().unwrap_or(since);
                    if since.saturating_duration_since(seen_at) < self.settings.undeclared_after() {
                        left_alone.insert(waiting.number, seen_at);
                        continue;
                    }
                }
                let has_room = numbers.len() < usize::try_from(room).unwrap_or(usize::MAX);
                if has_room && numbers.insert(waiting.number) {
                    running.push(Box::pin(self.clone().carry_out(waiting)));
                }
            }
            let until = page.next_due.map(|due| due.as_micros().saturating_sub(now.as_micros()));
            let until = until.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros);
            pause = pause.min(until.unwrap_or(pause));
        }
        *undeclared = left_alone;
        Ok(pause)
    }

    /// Takes an entry, dispatches its command, and puts down what became of it.
    async fn carry_out(self, waiting: Waiting) -> u64 {
        let number = waiting.number;
        if let Err(error) = self.carry_through(waiting).await {
            tracing::warn!(app = self.app, %error, "a scheduled command is tried again later");
        }
        number
    }

    async fn carry_through(&self, waiting: Waiting) -> anyhow::Result<()> {
        let scheduled: Scheduled = match waiting.entry.body.decode() {
            Ok(scheduled) => scheduled,
            Err(error) => {
                tracing::error!(id = %waiting.entry.id, %error, "this is no scheduled command; it is kept as failed");
                return self.append(&set_aside(&waiting, edge::fresh_id())?).await;
            }
        };
        // It was left alone as long as newer code may declare it.
        if self.is_dropped(&scheduled) {
            tracing::info!(
                schedule = %scheduled.schedule,
                command = scheduled.command,
                "a recurring command is declared no more; it is taken back"
            );
            return self.append(&replace(&waiting, Vec::new(), edge::fresh_id())?).await;
        }
        let now = self.bus.clock().now();
        let cron = scheduled.recurring.as_ref().map(|recurring| recurring.cron.parse::<Cron>()).transpose();
        let next = match cron {
            Ok(cron) => cron.and_then(|cron| cron.next_after(now)),
            Err(error) => {
                tracing::error!(schedule = %scheduled.schedule, %error, "a schedule is kept as failed");
                return self.append(&set_aside(&waiting, edge::fresh_id())?).await;
            }
        };
        let (schedule, attempts) = (scheduled.schedule, scheduled.attempts);
        let taken = scheduled.take(&waiting, now, next, edge::fresh_id(), &self.settings.bounds())?;
        let repeated = self.answered(&taken.append).await?;
        let is_ours = taken.is_ours(repeated.as_ref());
        if is_ours && taken.run.is_none() && attempts > 0 {
            tracing::error!(%schedule, attempts, "a scheduled command never came to an end; it is kept as failed");
        }
        let Some(run) = taken.run.filter(|_| is_ours) else { return Ok(()) };
        let answer = self.dispatch(&run).await;
        let settled = settled(&run, answer);
        let append = run.settle(settled, self.bus.clock().now(), &self.settings.bounds())?;
        for _ in 1..TRIES {
            if self.append(&append).await.is_ok() {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        self.append(&append).await
    }

    fn is_undeclared(&self, waiting: &Waiting) -> bool {
        waiting.entry.body.decode().is_ok_and(|scheduled| self.is_dropped(&scheduled))
    }

    /// Whether it was declared in this app's code, and is so no more or not yet.
    fn is_dropped(&self, scheduled: &Scheduled) -> bool {
        let declared_by = scheduled.recurring.as_ref().and_then(|recurring| recurring.declared_by.as_deref());
        scheduled.attempts == 0
            && declared_by == Some(self.app.as_str())
            && self.declared.iter().all(|declared| declared.id != scheduled.schedule)
    }

    async fn dispatch(&self, Run { id, scheduled }: &Run) -> EncodedAnswer {
        let metadata = &scheduled.metadata;
        // Nobody is there to whom it matters what can be seen.
        let mut options = DispatchOptions::default()
            .consistency(Consistency::Eventual)
            .command_id(CommandId(*id))
            .deadline(self.settings.deadline());
        if let Some(id) = metadata.correlation_id {
            options = options.correlation_id(id);
        }
        if let Some(id) = metadata.causation_id {
            options = options.caused_by(id);
        }
        for (key, value) in &metadata.custom {
            options = options.metadata(key.clone(), value.clone());
        }
        self.bus
            .dispatch_encoded(&scheduled.command, scheduled.schema, scheduled.body.json().clone(), options)
            .await
    }

    async fn append(&self, append: &Append) -> anyhow::Result<()> {
        self.answered(append).await.map(drop)
    }

    /// The reply of before, if it was stored before. What has an unknown outcome is asked for again.
    async fn answered(&self, append: &Append) -> anyhow::Result<Option<Json>> {
        for _ in 1..TRIES {
            match self.bus.store().append(append.clone()).await {
                Err(AppendError::Store(StoreError::OutcomeUnknown { .. })) => sleep(PAUSE).await,
                outcome => return Ok(outcome?.repeated),
            }
        }
        Ok(self.bus.store().append(append.clone()).await?.repeated)
    }
}

/// What an answer means for the run; whatever is wrong is told.
fn settled(run: &Run, answer: EncodedAnswer) -> Settled {
    let Scheduled { schedule, command, due_at, attempts, .. } = &run.scheduled;
    let error = match answer {
        Ok(_) | Err(DispatchError::NotYetVisible { .. }) => return Settled::Done,
        Err(error) => error,
    };
    let why = match &error {
        DispatchError::Rejected(rejection) => format!("rejected: {rejection}"),
        error => error.to_string(),
    };
    if is_passing(&error) {
        tracing::warn!(%schedule, command, %due_at, attempts, error = why, "a scheduled command was not carried out; again later");
        Settled::Again { error: why }
    } else {
        tracing::error!(%schedule, command, %due_at, error = why, "a scheduled command failed; it is kept as failed");
        Settled::Failed { error: why }
    }
}

/// Whether the same command may succeed later. What failed by a defect or a full disk may, too, once somebody has seen to it; until then
/// it is tried with growing pauses, and so often at most.
const fn is_passing(error: &DispatchError<Json>) -> bool {
    matches!(
        error,
        DispatchError::Conflict { .. }
            | DispatchError::NoHandler { .. }
            | DispatchError::Unavailable { .. }
            | DispatchError::Timeout { .. }
            | DispatchError::Failed { .. }
    )
}
