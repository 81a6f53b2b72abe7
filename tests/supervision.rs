//! Supervision, with real processes: how one ends that cannot go on or cannot stop, and how its tree is read from outside.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actix::System;
use contracts::accounts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use umbel_core::Query;
use umbel_host::{App, AskError, DispatchOptions, Failed, Foundation, GetTree, Umbrella, conclude};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::{Group, Policy, TreeNode, Worker};

use crate::support::{PATIENCE, Running, Store, Umbel, eventually};

/// Tells the process of its own how to misbehave.
const VARIABLE: &str = "UMBEL_TEST_MISBEHAVIOUR";

/// An umbrella in a process of its own, of which a part misbehaves. Killed when dropped.
struct Misbehaving {
    child: Child,
    output: PathBuf,
}

impl Misbehaving {
    fn start(how: &str, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let output = folder.join("output");
        let file = File::create(&output).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["supervision::misbehaving_process", "--exact", "--ignored", "--nocapture"]);
        command.env(VARIABLE, how).env("UMBEL_ENV", "test");
        command.env("UMBEL__STORE__URL", format!("sqlite:{}", folder.join("umbel.db").display()));
        command.envs(settings.iter().copied());
        command.stdout(file.try_clone().unwrap()).stderr(file).stdin(Stdio::null());
        Self { child: command.spawn().unwrap(), output }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Its exit code.
    #[track_caller]
    fn ended(&mut self) -> Option<i32> {
        eventually("the process to end", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The process that [`Misbehaving::start`] starts: composed, run and ended as the binary does, with faults.
#[test]
#[ignore = "a part of other tests, run by them as a process"]
fn misbehaving_process() {
    let how = std::env::var(VARIABLE).expect("started by a test");
    let foundation = Foundation::lay(&LoadOptions::from_process()).unwrap();
    let umbrella = compose(&foundation);
    let policy = foundation.policy();
    let bus = foundation.bus;
    let outcome = match &*how {
        "escalate" => umbrella.run(async |tree| {
            loop {
                tree.wait_until(TreeNode::is_up).await;
                bus.inject_panic("accounts/account").await;
            }
        }),
        "hang" => umbrella.with(deaf()).with(stuck(&policy)).run(async |_| println!("it is up")),
        _ => unreachable!("{how}"),
    };
    let outcome = outcome.map_err(Failed::from);
    let code = outcome.as_ref().err().map_or(0, |failed| failed.status.code());
    conclude(outcome);
    std::process::exit(code.into());
}

/// Bus, store and accounts.
fn compose(foundation: &Foundation) -> Umbrella {
    let settings = &foundation.settings;
    let store = umbel_persistence::group(
        &settings.section("store").unwrap(),
        &foundation.bus,
        settings.section("supervision").unwrap(),
    );
    let accounts = ::accounts::app(&settings.section("accounts").unwrap()).unwrap();
    foundation.umbrella("umbel").with(store).with_app(&accounts)
}

/// Does not hear that it shall stop.
fn deaf() -> Worker {
    Worker::new("deaf", |context| async move {
        context.ready();
        std::future::pending().await
    })
}

/// Blocks its thread when it shall stop.
fn stuck(policy: &Policy) -> Group {
    let worker = Worker::new("worker", |context| async move {
        context.ready();
        context.stopping().await;
        loop {
            std::thread::park();
        }
    });
    Group::new("stuck", Policy { heartbeat: None, ..policy.clone() }).child(worker)
}

/// UX-11: a part that panics more often than its intensity allows takes its group with it, then the tree; the process ends with
/// the exit code of that, having told each restart, who gave up, and why.
#[test]
fn a_part_that_fails_too_often_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("UMBEL__SUPERVISION__MAX_RESTARTS", "1"),
        ("UMBEL__TELEMETRY__LEVEL", "warn"),
        ("UMBEL__TELEMETRY__FORMAT", "json"),
    ];
    let mut process = Misbehaving::start("escalate", folder.path(), &settings);
    assert_eq!(process.ended(), Some(5), "{}", process.said());
    let said = process.said();
    let error = &said[said.find("\nerror: ").expect("it says why it ends")..];
    for words in [
        "umbel/accounts/account failed, giving up: panicked: ",
        "a test asked this actor to panic",
        "; umbel/accounts gave up (max_restarts = 1 within 30s); umbel gave up (max_restarts = 1 within 30s)",
    ] {
        assert!(error.contains(words), "{words:?} in {error}");
    }
    // One restart of the actor, one of its app with it, one more of the actor; then both levels give up.
    let count = |words: &str| said.lines().filter(|line| line.contains(words)).count();
    assert_eq!((count(r#""message":"restarting""#), count(r#""message":"gives up""#)), (3, 3), "{said}");
}

/// Given parts that do not stop within their deadline, one deaf and one that blocks its thread, when SIGTERM comes (UX-13), then the
/// process ends all the same, with an exit code that is not 0, and names them.
#[test]
fn sigterm_while_parts_hang_ends_the_process_and_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut process =
        Misbehaving::start("hang", folder.path(), &[("UMBEL__SUPERVISION__STOP_WITHIN_MS", "1500")]);
    eventually("the process to be up", || {
        assert!(process.child.try_wait().unwrap().is_none(), "{}", process.said());
        process.said().contains("it is up").then_some(())
    });
    let signalled = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status();
    assert!(signalled.unwrap().success());
    assert_eq!(process.ended(), Some(1), "{}", process.said());
    let said = process.said();
    let last = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert_eq!(last, "error: did not stop in time and were abandoned: umbel/deaf, umbel/stuck/worker");
}

/// How long the caller waits whose owner is blocked.
const CALLER: Duration = Duration::from_secs(3);

/// Blocks the thread of whoever answers it, or says that it is there.
#[derive(Clone, Debug, Serialize, Deserialize, Query)]
#[query(name = "stubborn.poke", answer = ())]
struct Poke {
    block: bool,
}

/// UX-12: an app whose handler blocks its thread past the heartbeat's limit is replaced and answers again; meanwhile the others did
/// not wait, and the bus tells what happened.
#[test]
fn an_app_that_blocks_its_thread_is_replaced_while_the_others_answer() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("umbel.db").display());
    let overrides = [
        ("store.url", &*url),
        ("supervision.heartbeat_every_ms", "20"),
        ("supervision.heartbeat_limit_ms", "2000"),
    ];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let options = LoadOptions { environment: Some("test".into()), overrides, ..LoadOptions::default() };
    let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
    let bus = foundation.bus.clone();
    let (release, released) = mpsc::sync_channel::<()>(0);
    let released = Arc::new(Mutex::new(released));
    let stubborn = App::new("stubborn").query(move |_, Poke { block }| {
        let released = Arc::clone(&released);
        async move {
            if block {
                // Until the test ends, which drops the other side.
                assert!(released.lock().unwrap().recv().is_err());
            }
            Ok(())
        }
    });
    System::new().block_on(async {
        let supervisor = compose(&foundation).with_app(&stubborn).start();
        supervisor.tree().wait_until_up(PATIENCE).await.unwrap();
        bus.ask_within(Poke { block: false }, PATIENCE).await.unwrap();
        let (asking, blocked) = (bus.clone(), Poke { block: true });
        let blocked = actix::spawn(async move { asking.ask_within(blocked, CALLER).await });
        let restarts = async || {
            let tree = bus.ask(GetTree).await.unwrap();
            tree.find("stubborn/stubborn.poke").unwrap().restarts
        };
        let (mut answered_meanwhile, mut number) = (0, 0);
        while restarts().await == 0 {
            let name = format!("user{number}");
            number += 1;
            let register = accounts::Register {
                email: format!("{name}@example.org"),
                username: name,
                password: contracts::Password::new("correct horse"),
            };
            let strong = DispatchOptions::default().strong().deadline(PATIENCE);
            bus.dispatch_with(register, strong).await.unwrap();
            answered_meanwhile += u32::from(restarts().await == 0);
        }
        assert!(answered_meanwhile > 0, "others were answered before it was replaced");
        let told = blocked.await.unwrap();
        assert!(matches!(told, Err(AskError::Timeout { .. })), "its caller has a deadline: {told:?}");
        bus.ask_within(Poke { block: false }, PATIENCE).await.unwrap();
        let tree = bus.ask(GetTree).await.unwrap();
        let poke = tree.find("stubborn/stubborn.poke").unwrap();
        let cause = poke.last_cause.clone().unwrap();
        assert!(cause.contains("its thread is blocked: no answer to the heartbeat within 2s"), "{cause}");
        assert_eq!(poke.abandoned, 1);
        for other in ["bus", "umbel.tree", "store/writer", "accounts/account"] {
            assert_eq!(tree.find(other).unwrap().restarts, 0, "{other}:\n{tree}");
        }
        drop(release);
        supervisor.shut_down().await;
    });
}

/// Runs with a control socket at this place.
fn with_socket(place: &str) -> Umbel {
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__STORE__URL", "memory:");
    umbel.set("UMBEL__CONTROL__SOCKET", place);
    umbel
}

fn numbers(processes: &[Value]) -> Vec<u64> {
    processes.iter().map(|process| process["process"].as_u64().unwrap()).collect()
}

/// OP-09: the tree of each process that runs is readable from outside; what was killed is not there, and disturbs nobody.
#[test]
fn the_trees_of_all_processes_are_readable() {
    let umbel = with_socket("run/umbel-{pid}.sock");
    let nobody = umbel.command_output(&["tree"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.stderr.contains("no umbrella runs that answers on run/umbel-{pid}.sock"), "{nobody:?}");

    let first = umbel.run();
    let trees = umbel.json(&["tree"]);
    assert_eq!(numbers(&trees), [u64::from(first.id())]);
    let tree: TreeNode = serde_json::from_value(trees[0]["tree"].clone()).unwrap();
    assert!(tree.is_up(), "{tree}");
    for part in ["bus", "control", "store/writer", "accounts/account", "articles", "gateway"] {
        let node = tree.find(part).unwrap_or_else(|| panic!("{part} in {tree}"));
        assert!(node.restarts == 0 && node.up_ms.is_some() && node.last_cause.is_none(), "{part} in {tree}");
    }
    let shown = umbel.command_output(&["tree"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for words in [&format!("process {} (test)", first.id()), "part ", "`-- gateway", "last cause"] {
        assert!(shown.stdout.contains(words), "{words:?} in {}", shown.stdout);
    }

    let second = umbel.run();
    let mut both = [first.id(), second.id()].map(u64::from);
    both.sort_unstable();
    let mut seen = numbers(&umbel.json(&["tree"]));
    seen.sort_unstable();
    assert_eq!(seen, both);

    let killed = umbel.dir().join(format!("run/umbel-{}.sock", first.id()));
    first.kill();
    assert!(killed.exists(), "nobody could remove it");
    assert_eq!(numbers(&umbel.json(&["tree"])), [u64::from(second.id())]);
    let third = umbel.run();
    assert!(!killed.exists(), "the next start has");
    drop(second);
    assert_eq!(numbers(&umbel.json(&["tree"])), [u64::from(third.id())]);
}

/// OP-09: a socket of one name is one process's; another one does not take it while that lives, and does after kill -9.
#[test]
fn a_live_control_socket_is_not_taken() {
    let umbel = with_socket("umbel.sock");
    let first = umbel.run();
    let mut refused = umbel.start(&[]);
    let exit = refused.wait();
    assert_eq!(exit.code, Some(4), "{exit:?}");
    for words in ["umbel/control could not start", "umbel.sock", "UMBEL__CONTROL__SOCKET"] {
        assert!(exit.stdout.contains(words), "{words:?} in {}", exit.stdout);
    }
    assert_eq!(numbers(&umbel.json(&["tree"])), [u64::from(first.id())]);
    first.kill();
    let mut second: Running = umbel.run();
    assert_eq!(numbers(&umbel.json(&["tree"])), [u64::from(second.id())]);
    second.terminate();
    assert_eq!(second.wait().code, Some(0));
    assert!(!umbel.dir().join("umbel.sock").exists());
    let nobody = umbel.command_output(&["tree"]);
    assert!(nobody.code == Some(1) && nobody.stderr.contains("no umbrella runs"), "{nobody:?}");
}

/// Where no socket is set there is none, and the tool says what to set.
#[test]
fn without_a_control_socket_the_tool_says_so() {
    let umbel = Umbel::new(Store::Sqlite);
    let exit = umbel.command_output(&["tree"]);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    for words in ["control.socket is not set", "UMBEL__CONTROL__SOCKET"] {
        assert!(exit.stderr.contains(words), "{exit:?}");
    }
}
