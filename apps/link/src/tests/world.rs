//! Buses with links, an owner that does as it is told, and a wire.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Context, Handler, ResponseFuture};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
};
use umbel_bus::{
    Answered, Ask, AskError, Bus, BusSettings, Dispatch, DispatchContext, DispatchError, DispatchOptions,
    Dispatched, Envelope, RouteSet,
};
use umbel_core::{Command, EventName, Position, Query, Version, store::Process};
use umbel_supervision::{Group, Policy, Supervisor};

use crate::{LinkSettings, worker};

/// A deadline that no test reaches unless something is wrong.
pub(super) const AMPLE: Duration = Duration::from_secs(30);
/// A deadline that passes while a test waits for what is never seen, and in which everything else is done, also on a busy machine.
pub(super) const LATE: Duration = Duration::from_millis(700);

/// A command, and what its owner shall do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "test.do", reply = String, rejection = String, formerly = ["test.did"])]
pub(super) enum Do {
    /// Reply this number.
    Reply(u64),
    /// Reply a text of so many bytes.
    ReplyLong(usize),
    /// Say no.
    Reject,
    /// Say no with so many bytes.
    RejectLong(usize),
    /// Begin with this text, and reply when the owner is let go.
    WaitWith(String),
    /// Begin, and reply when the owner is let go.
    Wait,
    /// Have this text with it, and reply its length.
    Carry(String),
}

/// A query.
#[derive(Clone, Debug, Serialize, Deserialize, Query)]
#[query(name = "test.question", answer = String)]
pub(super) enum Question {
    /// Who answers?
    Who,
    /// Fail like this: down or broken.
    Fail { down: bool },
    /// Begin, and answer when the owner is let go.
    Wait,
}

/// What an owner has seen, and when it may go on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) commands: Mutex<Vec<(Do, DispatchContext)>>,
    pub(super) questions: AtomicUsize,
    pub(super) begun: Notify,
    pub(super) let_go: watch::Sender<bool>,
}

impl Seen {
    pub(super) fn count(&self) -> usize {
        self.commands.lock().unwrap().len()
    }

    /// The context of the last command.
    pub(super) fn last(&self) -> DispatchContext {
        self.commands.lock().unwrap().last().unwrap().1.clone()
    }
}

/// Owns both.
struct Owner {
    name: &'static str,
    seen: Arc<Seen>,
    /// What every command fails with, if that is said.
    fails: Option<DispatchError<String>>,
}

/// A process: a bus with a link.
pub(super) struct Side {
    pub(super) bus: Bus,
    pub(super) supervisor: Supervisor,
}

pub(super) fn run(test: impl Future<Output = ()>) {
    let system = actix::System::new();
    system.block_on(async {
        tokio::time::timeout(AMPLE, test).await.expect("the test hangs");
        actix::System::current().stop();
    });
    system.run().unwrap();
}

/// Settings with these in place of the usual ones.
pub(super) fn settings(changes: &[(&str, serde_json::Value)]) -> LinkSettings {
    let mut settings = json!({
        "address": "127.0.0.1:0", "advertise": "", "secret": "s".repeat(32), "connect_timeout_ms": 5000,
        "retry_ms": 0, "idle_ms": 60_000, "ping_ms": 60_000, "requests_max": 1024, "frame_max_bytes": 1 << 20,
        "in_flight_max_bytes": 1 << 26, "connections_max": 16,
        "drain_ms": 10_000, "tls_certificate": "", "tls_key": "", "tls_authority": "",
    });
    changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
    serde_json::from_value(settings).unwrap()
}

impl Side {
    pub(super) async fn with(settings: LinkSettings) -> Self {
        let bus = Bus::new(BusSettings::default());
        bus.announce_sharing(true);
        let link = worker(settings, &bus).unwrap().expect("it has an address");
        let root = Group::new("test", Policy::default()).child(umbel_bus::worker(&bus)).child(link);
        let supervisor = Supervisor::start(root);
        supervisor.tree().wait_until_up(AMPLE).await.unwrap();
        Self { bus, supervisor }
    }

    pub(super) async fn new() -> Self {
        Self::with(settings(&[])).await
    }

    /// One that owns what is asked.
    pub(super) async fn owning(name: &'static str) -> (Self, Arc<Seen>) {
        let side = Self::new().await;
        let seen = side.own(name, None).await;
        (side, seen)
    }

    /// Lets it own what is asked from now on; every command fails with this, if that is said.
    pub(super) async fn own(&self, name: &'static str, fails: Option<DispatchError<String>>) -> Arc<Seen> {
        let seen = Arc::new(Seen::default());
        let owner = Owner { name, seen: Arc::clone(&seen), fails }.start();
        let routes = RouteSet::new("test/owner")
            .carries_out::<Do>(owner.clone().recipient())
            .answers_query::<Question>(owner.recipient());
        self.bus.register(routes).await.unwrap();
        seen
    }

    /// Lets it know these, as the store would.
    pub(super) fn knows(&self, others: &[Process]) {
        self.bus.announce_processes(others.to_vec());
    }

    pub(super) async fn ask(&self, question: Question) -> Result<String, AskError> {
        self.bus.ask_within(question, AMPLE).await
    }
}

/// A dispatch with these options, with time enough unless they say otherwise.
pub(super) fn options() -> DispatchOptions {
    DispatchOptions::default().deadline(AMPLE)
}

/// What a process tells, with another address.
pub(super) fn at(process: &Process, address: &str) -> Process {
    let mut process = process.clone();
    process.reach.as_mut().expect("it is reached").address = address.to_owned();
    process
}

impl Actor for Owner {
    type Context = Context<Self>;
}

async fn let_go(seen: &Seen) {
    seen.begun.notify_one();
    let mut let_go = seen.let_go.subscribe();
    let_go.wait_for(|go| *go).await.unwrap();
}

impl Handler<Envelope<Dispatch<Do>>> for Owner {
    type Result = ResponseFuture<Answered<Dispatch<Do>>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<Do>>, _: &mut Self::Context) -> Self::Result {
        let Some(Dispatch { command, context }) = envelope.open() else { return Box::pin(async { None }) };
        self.seen.commands.lock().unwrap().push((command.clone(), context));
        if let Some(error) = self.fails.clone() {
            return Box::pin(async { Some(Err(error)) });
        }
        let seen = Arc::clone(&self.seen);
        Box::pin(async move {
            let reply = match command {
                Do::Reply(number) => number.to_string(),
                Do::ReplyLong(bytes) => "x".repeat(bytes),
                Do::Reject => return Some(Err(DispatchError::Rejected("never".into()))),
                Do::Carry(text) => text.len().to_string(),
                Do::RejectLong(bytes) => return Some(Err(DispatchError::Rejected("x".repeat(bytes)))),
                Do::Wait | Do::WaitWith(_) => {
                    let_go(&seen).await;
                    "at last".into()
                }
            };
            Some(Ok(Dispatched {
                reply,
                position: Some(Position::new(9)),
                version: Some(Version::new(2)),
                events: Some(vec![EventName::from("test.done")]),
                repeated: false,
                returned: None,
            }))
        })
    }
}

impl Handler<Envelope<Ask<Question>>> for Owner {
    type Result = ResponseFuture<Answered<Ask<Question>>>;

    fn handle(&mut self, envelope: Envelope<Ask<Question>>, _: &mut Self::Context) -> Self::Result {
        let Some(Ask(question)) = envelope.open() else { return Box::pin(async { None }) };
        self.seen.questions.fetch_add(1, Ordering::SeqCst);
        let (seen, name) = (Arc::clone(&self.seen), self.name);
        Box::pin(async move {
            Some(match question {
                Question::Who => Ok(name.to_owned()),
                Question::Fail { down: true } => Err(AskError::unavailable("down")),
                Question::Fail { down: false } => Err(AskError::Failed { reason: "broken".into() }),
                Question::Wait => {
                    let_go(&seen).await;
                    Ok(name.to_owned())
                }
            })
        })
    }
}

/// A wire to a process, through which its bytes go: it can be held, so that nothing comes through, and cut.
pub(super) struct Wire {
    pub(super) address: String,
    /// Connections that were made over it.
    pub(super) made: Arc<AtomicUsize>,
    /// All that went over it.
    pub(super) seen: Arc<Mutex<Vec<u8>>>,
    held: watch::Sender<bool>,
    cuts: watch::Sender<u64>,
}

impl Wire {
    pub(super) async fn to(process: &Process) -> Self {
        let target = process.reach.as_ref().expect("it is reached").address.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (held, cuts, made) =
            (watch::Sender::new(false), watch::Sender::new(0), Arc::<AtomicUsize>::default());
        let (holding, cutting, count) = (held.subscribe(), cuts.subscribe(), Arc::clone(&made));
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let noting = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (mut cutting, holding, target) = (cutting.clone(), holding.clone(), target.clone());
                cutting.mark_unchanged();
                let noting = Arc::clone(&noting);
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let ((read, write), (far_read, far_write)) = (near.into_split(), far.into_split());
                    tokio::select! {
                        () = pass(read, far_write, holding.clone(), &noting) => {}
                        () = pass(far_read, write, holding, &noting) => {}
                        _ = cutting.changed() => {}
                    }
                });
            }
        });
        Self { address, made, seen, held, cuts }
    }

    /// Lets nothing through, either way, until it is told otherwise.
    pub(super) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Cuts the connections there are.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(super) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut held: watch::Receiver<bool>,
    seen: &Mutex<Vec<u8>>,
) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            // The end comes through as anything else.
            drop(held.wait_for(|held| !held).await);
            return;
        };
        seen.lock().unwrap().extend_from_slice(&buffer[..length]);
        if held.wait_for(|held| !held).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
