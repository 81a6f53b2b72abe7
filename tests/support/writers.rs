//! Writers that keep a journal of what they try and are told, in this process or in one of their own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use umbel_bus::Bus;
use umbel_core::{
    RecordedEvent,
    document::Direction,
    store::{AppendError, ReadAll, Selector, StoreError},
};
use umbel_testkit::checker::{self, Accepted, History, Journal};

use super::{Appends, Dice, StorePlace, eventually, with_store};

/// Tells the process of its own what to do.
const VARIABLE: &str = "UMBEL_TEST_WRITING";

/// Between two looks of a writer whether the store is back.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Some writers of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Writing {
    /// Where to.
    pub(crate) place: StorePlace,
    /// A file that does not exist yet.
    pub(crate) journal: PathBuf,
    /// What they send follows from it.
    pub(crate) seed: u64,
    /// How many there are, at work at the same time.
    pub(crate) tasks: u64,
    /// How many appends each sends.
    pub(crate) appends: u64,
    /// They end earlier when this file appears.
    pub(crate) stop: PathBuf,
}

/// A process of writers. Killed when dropped.
pub(crate) struct WriterProcess {
    child: Child,
    journal: PathBuf,
    /// How far its journal was looked at, in bytes, and how many appends were stored up to there.
    seen: (usize, u64),
}

impl Writing {
    /// Writes until all is sent.
    pub(crate) async fn run(self, bus: &Bus) {
        let journal = Arc::new(Journal::create(&self.journal).unwrap());
        let writing = Arc::new(self);
        let dice = Dice::new(writing.seed);
        let start = |task| {
            let appends = Appends::new(dice.part(task));
            actix::spawn(write(bus.clone(), Arc::clone(&writing), Arc::clone(&journal), appends))
        };
        for task in (0..writing.tasks).map(start).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }

    /// Writes in a process of its own.
    pub(crate) fn spawn(&self) -> WriterProcess {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["support::writers::writing_process", "--exact", "--ignored", "--nocapture"])
            .env(VARIABLE, serde_json::to_string(self).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        WriterProcess { child, journal: self.journal.clone(), seen: (0, 0) }
    }
}

async fn write(bus: Bus, writing: Arc<Writing>, journal: Arc<Journal>, mut appends: Appends) {
    for _ in 0..writing.appends {
        if writing.stop.exists() {
            return;
        }
        let append = appends.next();
        let number = journal.sent(&append).unwrap();
        let outcome = bus.store().append(append.clone()).await;
        journal.told(number, &outcome).unwrap();
        appends.learn(&append, &outcome);
        if let Err(AppendError::Store(StoreError::Unavailable { .. })) = outcome {
            // So that a journal does not fill with outages.
            until_it_answers(&bus, &writing.stop).await;
        }
    }
}

/// Waits until the store answers again, or nobody waits for more appends.
async fn until_it_answers(bus: &Bus, stop: &Path) {
    while bus.store().status().await.is_err() && !stop.exists() {
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// The process that [`Writing::spawn`] starts.
#[test]
#[ignore = "a part of other tests, run by them as a process"]
fn writing_process() {
    let writing = std::env::var(VARIABLE).expect("started by a test");
    let writing: Writing = serde_json::from_str(&writing).unwrap();
    with_store(&writing.place.clone(), async |bus| writing.run(&bus).await);
}

impl WriterProcess {
    /// Waits until it has got so many more appends stored, or has ended; whether it is still there.
    #[track_caller]
    pub(crate) fn goes_on(&mut self, more: u64) -> bool {
        let wanted = self.stored() + more;
        eventually("a writer to go on", || {
            let ended = self.ended().is_some();
            (ended || self.stored() >= wanted).then_some(!ended)
        })
    }

    /// How many appends it has written down as stored.
    fn stored(&mut self) -> u64 {
        let journal = std::fs::read(&self.journal).unwrap_or_default();
        let (mut at, mut stored) = self.seen;
        for line in journal[at..].split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"))
        {
            let outcome = br#""outcome":{"stored":"#;
            stored += u64::from(line.windows(outcome.len()).any(|part| part == outcome));
            at += line.len();
        }
        self.seen = (at, stored);
        stored
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself, in order.
    #[track_caller]
    pub(crate) fn join(mut self) {
        let status = eventually("a writer to end", || self.ended());
        assert!(status.success(), "a writer ended with {status}");
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for WriterProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Judges a store by the journals of all who wrote to it.
pub(crate) async fn judge<P: AsRef<Path>>(
    bus: &Bus,
    journals: impl IntoIterator<Item = P>,
) -> Result<Accepted, String> {
    let history = History::read(journals).map_err(|error| error.to_string())?;
    let mut commands = std::collections::HashMap::new();
    for id in checker::command_ids(&history) {
        if let Some(first) = bus.store().find_command(id).await.map_err(|error| error.to_string())? {
            commands.insert(id, first);
        }
    }
    checker::check(&history, &whole_log(bus).await, &commands).map_err(|broken| {
        let worst: Vec<_> = broken.iter().take(5).map(ToString::to_string).collect();
        format!("{} promises were broken:\n{}", broken.len(), worst.join("\n"))
    })
}

/// The log, page by page.
async fn whole_log(bus: &Bus) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    let mut from = None;
    loop {
        let request = ReadAll { from, direction: Direction::Forward, limit: 4096, selector: Selector::all() };
        let page = bus.store().read_all(request).await.unwrap();
        events.extend(page.events);
        if page.scanned_to >= page.head {
            return events;
        }
        from = Some(page.scanned_to.next());
    }
}
