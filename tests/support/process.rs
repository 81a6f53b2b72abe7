//! The binary `umbel` as a child process.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use tempfile::TempDir;

use crate::support::{Client, PATIENCE, Store, StorePlace, eventually};

/// A working directory and an environment in which `umbel` is run, once or several times.
pub(crate) struct Umbel {
    dir: TempDir,
    store: Store,
    variables: Vec<(String, String)>,
}

/// An umbrella that is up. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// A command whose standard input has not ended yet.
pub(crate) struct Fed(Child);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Umbel {
    pub(crate) fn new(store: Store) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut umbel = Self { dir, store, variables: Vec::new() };
        umbel.set("UMBEL_ENV", "test");
        umbel.set("UMBEL__GATEWAY__JWT_SECRET", &format!("signs tokens in {:-<32}", umbel.dir().display()));
        for (name, value) in umbel.store.variables(umbel.dir.path()) {
            umbel.set(name, &value);
        }
        umbel
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where its store is.
    pub(crate) fn place(&self) -> StorePlace {
        let variable = |name: &str| {
            let (_, value) = self.variables.iter().find(|(known, _)| known == name).expect("it has a store");
            value.clone()
        };
        StorePlace { url: variable("UMBEL__STORE__URL"), schema: variable("UMBEL__STORE__SCHEMA") }
    }

    /// Sets a variable of the environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable out of the environment.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.dir.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts everything on a free port, without waiting.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let address = free_address();
        let log = self.dir.path().join(format!("{}.log", address.port()));
        let output = File::create(&log).unwrap();
        let mut command = self.command(&[&["run"], arguments].concat());
        command.env("UMBEL__GATEWAY__ADDRESS", address.to_string());
        command.stdout(output.try_clone().unwrap()).stderr(output).stdin(Stdio::null());
        Running { child: command.spawn().unwrap(), address, log }
    }

    /// Starts everything and waits until it is ready.
    #[track_caller]
    pub(crate) fn run(&self) -> Running {
        let mut running = self.start(&[]);
        running.await_ready();
        running
    }

    /// Starts everything twice, as two processes on one store with one secret, and waits until both are ready.
    #[track_caller]
    pub(crate) fn run_two(&self) -> [Running; 2] {
        let mut running = [self.start(&[]), self.start(&[])];
        running.iter_mut().for_each(Running::await_ready);
        running
    }

    /// Starts a part of it for each of these lists of apps, as processes on one store that carry each other's messages, and waits until all
    /// are ready.
    #[track_caller]
    pub(crate) fn run_apart<const N: usize>(&mut self, parts: [&str; N]) -> [Running; N] {
        self.link();
        let mut running = parts.map(|apps| self.start(&["--only", apps]));
        running.iter_mut().for_each(Running::await_ready);
        running
    }

    /// Lets its processes carry each other's messages.
    pub(crate) fn link(&mut self) {
        let secret = format!("of the link in {:-<32}", self.dir().display());
        self.set("UMBEL__LINK__ADDRESS", "127.0.0.1:0");
        self.set("UMBEL__LINK__SECRET", &secret);
    }

    /// Runs one command of the binary to its end.
    pub(crate) fn command_output(&self, arguments: &[&str]) -> Exit {
        self.command(arguments).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Begins a command and kills it with -9 as soon as something is so.
    #[track_caller]
    pub(crate) fn command_killed<T>(&self, arguments: &[&str], when: impl Fn(u32) -> Option<T>) -> T {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let seen = eventually("the moment to kill it", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            when(child.id())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        seen
    }

    /// Begins a command that reads its standard input.
    pub(crate) fn command_begun(&self, arguments: &[&str]) -> Fed {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Fed(command.spawn().unwrap())
    }

    /// Runs a command whose standard output nobody reads any more.
    #[track_caller]
    pub(crate) fn command_unread(&self, arguments: &[&str]) -> Exit {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        self.command(arguments).stdin(Stdio::null()).stdout(writer).output().unwrap().into()
    }

    /// The same, with this on its standard input.
    pub(crate) fn command_fed(&self, arguments: &[&str], input: &str) -> Exit {
        let mut fed = self.command_begun(arguments);
        fed.feed(input);
        fed.0.wait_with_output().unwrap().into()
    }

    /// Begins several commands at once and waits for all of them.
    pub(crate) fn commands_at_once(&self, commands: &[&[&str]]) -> Vec<Exit> {
        let begin = |arguments: &&[&str]| {
            let mut command = self.command(arguments);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let running: Vec<_> = commands.iter().map(begin).collect();
        running.into_iter().map(|child| child.wait_with_output().unwrap().into()).collect()
    }

    /// Runs a command that must do what it was asked to, and reads its standard output as JSON lines.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let exit = self.command_output(&[arguments, &["--json"]].concat());
        assert_eq!(exit.code, Some(0), "{arguments:?}: {exit:?}");
        exit.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The log's events as JSON, by the binary's own tool.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        self.json(&["events", "tail"])
    }
}

impl Fed {
    /// Whether it reads all of it is its own business.
    pub(crate) fn feed(&mut self, input: &str) {
        drop(self.0.stdin.as_mut().unwrap().write_all(input.as_bytes()));
    }

    /// As Ctrl-C does.
    #[track_caller]
    pub(crate) fn interrupt(&self) {
        signal(self.0.id(), "INT");
    }

    /// Waits for its end, which comes before that of its input.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Exit {
        let input = self.0.stdin.take();
        eventually("the command to end", || self.0.try_wait().unwrap());
        drop(input);
        self.0.wait_with_output().unwrap().into()
    }
}

impl From<Output> for Exit {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[track_caller]
fn signal(process: u32, name: &str) {
    let signalled = Command::new("sh").arg("-c").arg(format!("kill -{name} {process}")).status();
    assert!(signalled.unwrap().success());
}

/// An address that nobody listens at, and no connection takes before the child listens there: systems give those ports above these.
fn free_address() -> SocketAddr {
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Each process of tests begins elsewhere.
    let begin = std::process::id().wrapping_mul(977);
    let ports = u32::from(PORTS.end - PORTS.start);
    let next = || {
        let number = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % ports;
        SocketAddr::from(([127, 0, 0, 1], PORTS.start + u16::try_from(number).unwrap()))
    };
    let mut addresses = (0..ports).map(|_| next());
    addresses.find(|address| TcpListener::bind(address).is_ok()).expect("this machine has a free port")
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client of its gateway.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Of several processes, each in turn.
    pub(crate) fn client_in_turns(running: &[Self]) -> Client {
        Client::in_turns(&running.iter().map(|running| running.address).collect::<Vec<_>>())
    }

    #[track_caller]
    pub(crate) fn await_ready(&mut self) {
        let (client, begin) = (self.client(), Instant::now());
        eventually("the umbrella to be ready", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}", self.output());
            }
            let answer = client.try_get("/health/ready");
            let is_late = begin.elapsed() > PATIENCE.mul_f32(0.9);
            assert!(!is_late, "it is not ready, and answers {answer:?}; it has said:\n{}", self.output());
            answer.ok().filter(|answer| answer.status == 200)
        });
    }

    /// Waits until its gateway answers, whether it is ready or not.
    #[track_caller]
    pub(crate) fn await_live(&self) {
        let client = self.client();
        eventually("the gateway to live", || {
            client.try_get("/health/live").ok().filter(|answer| answer.status == 200)
        });
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed.
    pub(crate) fn output(&self) -> String {
        let mut text = String::new();
        File::open(&self.log).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        signal(self.child.id(), "TERM");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Exit {
        let status = eventually("the umbrella to end", || self.child.try_wait().unwrap());
        Exit { code: status.code(), stdout: self.output(), stderr: String::new() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs one command of the binary in a folder, without any settings.
pub(crate) fn umbel_in(folder: &Path, arguments: &[&str]) -> Exit {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command.output().unwrap().into()
}

/// The binary, which cargo builds with these tests.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_umbel-under-test"))
}
