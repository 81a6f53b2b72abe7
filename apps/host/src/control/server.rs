//! The control socket as a supervised worker, on a thread of its own: who asks does so because something may be stuck.

use std::{
    os::unix::fs::MetadataExt,
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    task::JoinSet,
    time::{sleep, timeout},
};
use umbel_bus::{Bus, GetTree, Progress};
use umbel_core::Position;
use umbel_supervision::{Worker, WorkerContext};

use super::{
    ControlSettings, Peers, Process, Question, Reply, Standing,
    endpoint::{Endpoint, Place},
};
use crate::subscription::{SubscriptionView, subscriptions};

/// The pause after a connection that could not be taken, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket outlives an incarnation that fails, or whose thread is blocked; an ordered stop takes it out.
type Slot = Arc<Mutex<Option<Endpoint>>>;

/// What it answers from.
#[derive(Clone)]
struct Server {
    settings: ControlSettings,
    bus: Bus,
    environment: String,
}

/// Answers at this place, as a child of a supervision tree.
pub(crate) fn worker(place: Place, settings: ControlSettings, bus: Bus, environment: String) -> Worker {
    let (server, slot) = (Server { settings, bus, environment }, Slot::default());
    let start = move |context| serve(place.clone(), Arc::clone(&slot), server.clone(), context);
    Worker::new("control", start).own_thread()
}

async fn serve(place: Place, slot: Slot, server: Server, context: WorkerContext) -> Result<()> {
    // It may block: until it is ready, its own thread may.
    let listener = listen(&place, &slot)?;
    context.ready();
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            () = context.stopping() => break,
            // How it went is of interest to the other side alone; a panic was logged and counted.
            Some(_) = conversations.join_next() => {}
            accepted = listener.accept(), if conversations.len() < server.settings.connections_max => {
                match accepted {
                    Ok((stream, _)) => drop(conversations.spawn_local(server.clone().converse(stream))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot take a connection on the control socket");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }
    drop(locked(&slot).take());
    Ok(())
}

fn listen(place: &Place, slot: &Slot) -> Result<UnixListener> {
    let mut slot = locked(slot);
    if slot.is_none() {
        *slot = Some(place.claim()?);
    }
    let endpoint = slot.as_ref().context("the socket was taken just above")?;
    tracing::info!("answering on {}", endpoint.path().display());
    Ok(UnixListener::from_std(endpoint.listener()?)?)
}

fn locked(slot: &Slot) -> MutexGuard<'_, Option<Endpoint>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Answers one client until it has asked enough, or nothing for too long.
    async fn converse(self, stream: UnixStream) -> Result<()> {
        // The file's mode keeps others out, but for the moment in which it was made.
        let (who, us) = (stream.peer_cred()?.uid(), std::fs::metadata("/proc/self")?.uid());
        if who != us && who != 0 {
            tracing::warn!(uid = who, "another user was refused on the control socket");
            return Ok(());
        }
        let deadline = self.settings.deadline();
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        loop {
            let Some(line) = timeout(deadline, self.line(&mut read)).await?? else { return Ok(()) };
            let (reply, go_on) = match line {
                Ok(line) => (self.reply(&line).await, true),
                // Where the next question begins is not known any more.
                Err(refusal) => (line_of(&Reply::<()>::Error(refusal))?, false),
            };
            timeout(deadline, write.write_all(&reply)).await??;
            if !go_on {
                return Ok(());
            }
        }
    }

    /// The next question, or why it is none; `None` when there is no more.
    async fn line(&self, read: &mut BufReader<OwnedReadHalf>) -> Result<Option<Result<Vec<u8>, String>>> {
        let most = self.settings.request_max_bytes;
        let mut line = Vec::new();
        read.take(most.saturating_add(1)).read_until(b'\n', &mut line).await?;
        let ended = line.last() == Some(&b'\n');
        Ok(match u64::try_from(line.len()) {
            Ok(0) => None,
            Ok(length) if ended || length <= most => Some(Ok(line)),
            _ => Some(Err(format!("a question may have {most} bytes (control.request_max_bytes)"))),
        })
    }

    async fn reply(&self, line: &[u8]) -> Vec<u8> {
        let reply = match serde_json::from_slice(line) {
            Ok(Question::Tree) => match self.tree().await {
                Ok(process) => line_of(&Reply::Answer(process)),
                Err(error) => line_of(&Reply::<()>::Error(format!("the tree does not answer: {error:#}"))),
            },
            Ok(Question::Standings) => line_of(&Reply::Answer(self.standings())),
            Ok(Question::Peers) => line_of(&Reply::Answer(self.peers())),
            Err(error) => line_of(&Reply::<()>::Error(format!("not a question: {error}"))),
        };
        // A tree has a JSON form; should that change, the client is not left waiting.
        reply.unwrap_or_else(|_| b"{\"error\":\"the answer has no JSON form\"}\n".to_vec())
    }

    fn standings(&self) -> Vec<Standing> {
        let standing = |Progress { name, stand, .. }: Progress| Standing {
            name: name.to_owned(),
            position: *stand.position.borrow(),
            held_up: stand.held_up.borrow().clone().or_else(|| stand.beside.borrow().clone()),
        };
        let mut standings: Vec<Standing> = self.bus.progress().into_iter().map(standing).collect();
        // What follows one stream, and what nobody waits for.
        let others = subscriptions(&self.bus).into_iter().map(
            |SubscriptionView { name, reached, held_up, .. }| Standing {
                name: name.as_str().to_owned(),
                position: Position::new(reached.get()),
                held_up,
            },
        );
        for other in others {
            if standings.iter().all(|one| one.name != other.name) {
                standings.push(other);
            }
        }
        standings
    }

    fn peers(&self) -> Peers {
        let (node, address) = (self.bus.node().0, self.bus.reached_here());
        let peers = self.bus.peers().into_iter().map(Into::into).collect();
        Peers { process: process::id(), node, address, shares_store: self.bus.shares_store(), peers }
    }

    async fn tree(&self) -> Result<Process> {
        let tree = self.bus.ask_within(GetTree, self.settings.deadline()).await?;
        Ok(Process {
            process: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment.clone(),
            tree,
        })
    }
}

fn line_of(reply: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        os::unix::net::UnixStream as Client,
        path::Path,
    };

    use crate::Foundation;
    use serde_json::{Value, json};
    use tokio::task::spawn_blocking;
    use umbel_settings::{LoadOptions, Settings};
    use umbel_supervision::Outcome;

    use super::*;

    /// An umbrella of bus and control socket, and somebody who talks to it.
    fn with_socket(overrides: &[(&str, &str)], talk: impl FnOnce(&Path) + Send + 'static) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("umbel.sock");
        let at = ("control.socket", socket.to_str().unwrap());
        let overrides = overrides.iter().chain([&at]);
        let overrides = overrides.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = LoadOptions { environment: Some("test".into()), overrides, ..LoadOptions::default() };
        let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
        let foundation = foundation.answering_tools().unwrap();
        actix::System::new().block_on(async {
            let supervisor = foundation.umbrella("alone").start();
            supervisor.tree().wait_until_up(Duration::from_secs(20)).await.unwrap();
            let path = socket.clone();
            spawn_blocking(move || talk(&path)).await.unwrap();
            assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        });
        assert!(!socket.exists(), "an ordered stop leaves no file");
    }

    fn exchange(client: &mut BufReader<Client>, line: &str) -> Value {
        client.get_mut().write_all(line.as_bytes()).unwrap();
        let mut reply = String::new();
        client.read_line(&mut reply).unwrap();
        serde_json::from_str(&reply).unwrap()
    }

    fn connect(path: &Path) -> BufReader<Client> {
        BufReader::new(Client::connect(path).unwrap())
    }

    #[test]
    fn questions_are_answered_line_by_line_and_what_is_none_is_told() {
        with_socket(&[("control.request_max_bytes", "100")], |path| {
            let mut client = connect(path);
            for wrong in ["\n", "tree\n", "{\"ask\":\"secrets\"}\n", "\u{0}\n"] {
                let reply = exchange(&mut client, wrong);
                assert!(reply["error"].as_str().unwrap().starts_with("not a question: "), "{reply}");
            }
            let known = exchange(&mut client, "{\"ask\":\"secrets\"}\n");
            assert!(known["error"].as_str().unwrap().contains("`tree`"), "{known}");

            let reply = exchange(&mut client, "{\"ask\":\"tree\"}\n");
            let answer: Process = serde_json::from_value(reply["answer"].clone()).unwrap();
            assert_eq!((answer.process, &*answer.environment), (process::id(), "test"));
            let control = answer.tree.find("control").unwrap();
            assert!(control.up_ms.is_some() && answer.tree.is_up(), "{}", answer.tree);

            let reply = exchange(&mut client, "{\"ask\":\"standings\"}\n");
            assert_eq!(reply["answer"], json!([]), "{reply}");

            let reply = exchange(&mut client, "{\"ask\":\"peers\"}\n");
            let answer: Peers = serde_json::from_value(reply["answer"].clone()).unwrap();
            assert_eq!((answer.process, answer.address, answer.peers), (process::id(), None, Vec::new()));

            let reply = exchange(&mut client, &format!("{}\n", json!({"ask": "x".repeat(100)})));
            assert!(reply["error"].as_str().unwrap().contains("control.request_max_bytes"), "{reply}");
            let rest = client.read(&mut [0]);
            assert!(matches!(rest, Ok(0) | Err(_)), "after that it hangs up: {rest:?}");
        });
    }

    /// One that says nothing is left after the deadline; those that wait for a place get one.
    #[test]
    fn a_client_that_says_nothing_does_not_keep_others_out() {
        with_socket(&[("control.connections_max", "1"), ("control.deadline_ms", "300")], |path| {
            let mut mute = connect(path);
            let mut next = connect(path);
            let reply = exchange(&mut next, "{\"ask\":\"tree\"}\n");
            assert!(reply["answer"]["tree"].is_object(), "{reply}");
            assert_eq!(mute.read(&mut [0]).unwrap(), 0, "it was hung up on");
        });
    }

    /// A restart, or one while the former thread is still blocked, goes on with the same socket.
    #[test]
    fn incarnations_share_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("umbel.sock");
        let place = Place::parse(path.to_str().unwrap()).unwrap().unwrap();
        actix::System::new().block_on(async {
            let slot = Slot::default();
            let former = listen(&place, &slot).unwrap();
            let listener = listen(&place, &slot).unwrap();
            drop(former);
            let client = spawn_blocking(move || Client::connect(path).unwrap());
            listener.accept().await.unwrap();
            client.await.unwrap();
        });
    }
}
