//! A node of these tests: a process with bus, store and an app that follows what is written.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Changes, Context, Cue, Decide, Decision, Document, Event, ProcessManager, Projection,
    RecordedEvent, Route,
    document::Collection,
    events,
    process_manager::{Occasion, Reaction},
};
use umbel_host::{
    App, EventHandler, Failed, FailurePolicy, Foundation, HandlerContext, HandlerOptions, HandlerStart,
    Pauses, conclude,
};
use umbel_settings::LoadOptions;

use super::journal::{Line, write};
use crate::support::{StorePlace, eventually};

/// Tells the process of its own what it is.
const VARIABLE: &str = "UMBEL_TEST_NODE";

/// How long a thread may be blocked before it is replaced. Shorter than by default, for those who wait for that.
const HEARTBEAT_LIMIT_MS: u64 = 3_000;

/// The category of the streams that are written to.
pub(super) const CATEGORY: &str = "failover";
/// The subscriptions of the handlers.
pub(super) const SHARED: &str = "failover.shared";
pub(super) const STRONG: &str = "failover.strong";
pub(super) const MANAGER: &str = "failover.manager";
/// The partitions of the shared one.
pub(super) const PARTITIONS: u32 = 8;
/// Where the projection keeps how far it is.
pub(super) const COUNTS: &str = "failover.counts/1";
/// In the folder of the journal: what a strong handler has begun with.
pub(super) const BEGUN: &str = "begun";
/// In the folder of the journal: what lets strong handlers go on.
pub(super) const OPEN: &str = "open";

/// What one process is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    /// Where all of them write down what they have handled, and what they look for.
    pub(super) folder: PathBuf,
    pub(super) handler: Handler,
}

/// Which handler it has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Handler {
    /// Eight partitions.
    Shared,
    /// One, and callers wait for it.
    Strong,
    /// A process manager.
    Manager,
}

/// Of this process.
pub(super) static ROLE: OnceLock<Role> = OnceLock::new();

fn role() -> &'static Role {
    ROLE.get().expect("the process has been told")
}

/// A node in a process of its own. Killed when dropped.
pub(super) struct Node {
    child: Child,
    output: PathBuf,
}

impl Node {
    pub(super) fn start(role: &Role, place: &StorePlace, lease: Duration) -> Self {
        let output = role.folder.join(format!("{}.log", role.name));
        let file = File::create(&output).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["failover::node::node_process", "--exact", "--ignored", "--nocapture"]);
        command.env(VARIABLE, serde_json::to_string(role).unwrap()).env("UMBEL_ENV", "test");
        command.env("UMBEL__STORE__URL", &place.url).env("UMBEL__STORE__SCHEMA", &place.schema);
        command.env("UMBEL__SUBSCRIPTIONS__LEASE_MS", lease.as_millis().to_string());
        command.env("UMBEL__SUPERVISION__HEARTBEAT_LIMIT_MS", HEARTBEAT_LIMIT_MS.to_string());
        command.stdout(file.try_clone().unwrap()).stderr(file).stdin(Stdio::null());
        Self { child: command.spawn().unwrap(), output }
    }

    /// Everything it has printed.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    #[track_caller]
    pub(super) fn signal(&self, signal: &str) {
        let told = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(told.unwrap().success());
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its exit code, once it has ended.
    #[track_caller]
    pub(super) fn ended(&mut self) -> Option<i32> {
        eventually("the node to end", || self.child.try_wait().unwrap()).code()
    }

    pub(super) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The process that [`Node::start`] starts: composed, run and ended as the binary does.
#[test]
#[ignore = "a part of other tests, run by them as a process"]
fn node_process() {
    let told = std::env::var(VARIABLE).expect("started by a test");
    let role = ROLE.get_or_init(|| serde_json::from_str(&told).unwrap());
    let foundation = Foundation::lay(&LoadOptions::from_process()).unwrap();
    let settings = &foundation.settings;
    let store = umbel_persistence::group(
        &settings.section("store").unwrap(),
        &foundation.bus,
        settings.section("supervision").unwrap(),
    );
    let umbrella = foundation.umbrella("umbel").with(store).with_app(&app(role.handler));
    let outcome = umbrella.run(async |_| println!("it is up")).map_err(Failed::from);
    let code = outcome.as_ref().err().map_or(0, |failed| failed.status.code());
    conclude(outcome);
    std::process::exit(code.into());
}

/// What a node runs.
pub(super) fn app(handler: Handler) -> App {
    let app = App::new("failover").projection::<Counts>().aggregate::<Series>();
    match handler {
        Handler::Shared => app.handler::<Shared>(),
        Handler::Strong => app.handler::<Strong>(),
        Handler::Manager => app.process_manager::<Manager>(),
    }
}

/// What is written: to each key, numbers from 1 on.
#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "failover.happened")]
pub(super) struct Happened {
    pub(super) key: String,
    pub(super) number: u64,
}

events! {
    /// All there is.
    pub(super) enum Happenings { Happened(Happened) }
}

/// Asks for the next number of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Happen {
    pub(super) key: String,
}

impl umbel_core::Command for Happen {
    const NAME: &'static str = "failover.happen";
    type Reply = u64;
    type Rejection = String;
}

/// The numbers of a key.
#[derive(Debug, Default)]
struct Series(u64);

impl Aggregate for Series {
    const CATEGORY: &'static str = CATEGORY;
    type Event = Happenings;
    type Commands = (Happen,);

    fn evolve(self, Happenings::Happened(Happened { number, .. }): &Happenings) -> Self {
        Self(*number)
    }
}

impl Decide<Happen> for Series {
    fn identify(command: &Happen) -> String {
        command.key.clone()
    }

    fn decide(&self, command: &Happen, _: &Context<'_>) -> Result<Decision<Happenings, u64>, String> {
        let number = self.0 + 1;
        Ok(Decision::new(vec![Happened { key: command.key.clone(), number }.into()], number))
    }
}

/// How many numbers a key has, and what they sum up to: doubled or left out, they would tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "failover.counts")]
pub(super) struct Count {
    pub(super) count: u64,
    pub(super) sum: u64,
}

struct Counts;

impl Projection for Counts {
    const NAME: &'static str = "failover.counts";
    type Event = Happenings;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Count>()]
    }

    fn project(
        Happenings::Happened(Happened { key, number }): Happenings,
        _: &RecordedEvent,
        changes: &mut Changes,
    ) {
        changes.modify(key, move |old: Option<Count>| {
            let Count { count, sum } = old.unwrap_or_default();
            Some(Count { count: count + 1, sum: sum + number })
        });
    }
}

/// Writes down what it gets, in all processes in one file: its lines are in the order in which they were handled.
struct Shared {
    journal: File,
}

impl EventHandler for Shared {
    const NAME: &'static str = SHARED;
    type Event = Happenings;
    type Error = String;

    fn options() -> HandlerOptions {
        let pauses = Pauses { min: Duration::from_millis(1), max: Duration::from_millis(5) };
        HandlerOptions::default()
            .partitions(PARTITIONS)
            .concurrency(2)
            .checkpoint(100, Duration::from_millis(50))
            .on_failure(FailurePolicy::Park { retries: 1, pauses })
    }

    async fn init(_: &HandlerStart) -> Result<Self, String> {
        open_journal()
    }

    async fn handle(
        &mut self,
        Happenings::Happened(happened): Happenings,
        context: &HandlerContext,
    ) -> Result<(), String> {
        let is_there = |file: String| role().folder.join(file).exists();
        if is_there(deadly(&happened.key)) {
            std::process::abort();
        }
        if is_there(blocking(&happened.key)) {
            loop {
                std::thread::park();
            }
        }
        if is_there(broken(&happened.key)) {
            return Err(format!("{} is broken", happened.key));
        }
        self.handled(happened, context)
    }
}

/// In the folder of the journal: what makes events of this key fail.
pub(super) fn broken(key: &str) -> String {
    format!("broken-{key}")
}

/// What makes them end the process.
pub(super) fn deadly(key: &str) -> String {
    format!("deadly-{key}")
}

/// What makes them block their thread for good.
pub(super) fn blocking(key: &str) -> String {
    format!("blocking-{key}")
}

impl Shared {
    fn handled(&mut self, happened: Happened, context: &HandlerContext) -> Result<(), String> {
        let Happened { key, number } = happened;
        let line = Line { node: role().name.clone(), key, number, letter: context.is_letter() };
        write(&mut self.journal, &line)
    }
}

fn open_journal() -> Result<Shared, String> {
    let journal = super::journal::open(&role().folder).map_err(|error| error.to_string())?;
    Ok(Shared { journal })
}

/// Says that it has begun, and handles the event once it may.
struct Strong(Shared);

impl EventHandler for Strong {
    const NAME: &'static str = STRONG;
    const STRONG: bool = true;
    type Event = Happenings;
    type Error = String;

    async fn init(_: &HandlerStart) -> Result<Self, String> {
        open_journal().map(Self)
    }

    async fn handle(
        &mut self,
        Happenings::Happened(happened): Happenings,
        context: &HandlerContext,
    ) -> Result<(), String> {
        fs::write(role().folder.join(BEGUN), &role().name).map_err(|error| error.to_string())?;
        until_there(&role().folder.join(OPEN)).await;
        self.0.handled(happened, context)
    }
}

/// Remembers the last number of a key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manager(u64);

impl ProcessManager for Manager {
    const NAME: &'static str = MANAGER;
    const SCHEMA: u32 = 1;
    type Event = Happenings;
    type Error = String;

    fn route(Happenings::Happened(happened): &Happenings, _: &RecordedEvent) -> Route {
        Route::start(&happened.key)
    }

    fn handle(&self, _: Cue<'_, Happenings>, occasion: &Occasion<'_>) -> Result<Reaction, String> {
        if role().folder.join(deadly(occasion.instance)).exists() {
            std::process::abort();
        }
        Ok(Reaction::nothing())
    }

    fn evolve(self, cue: Cue<'_, Happenings>) -> Self {
        match cue {
            Cue::Event(Happenings::Happened(happened)) => Self(happened.number),
            Cue::Timer(_) => self,
        }
    }
}

async fn until_there(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
