//! The carrier: takes messages to other processes over one connection to each, made when it is first needed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use tokio::{
    net::TcpStream,
    runtime::Handle,
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, timeout, timeout_at},
};
use umbel_bus::{Carrier, Contact, Delivery, NotCarried, Parcel, Peer};
use umbel_core::subscription::NodeId;

use crate::{
    connection::{Connection, Ended},
    greet::{self, NotGreeted},
    settings::LinkSettings,
    standing::{Standings, Unmet},
    tls::{Stream, Tls},
};

/// Connections tried for one message: one that is found closed is made anew, once.
const ATTEMPTS: usize = 2;

/// Where connections live.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// On no thread yet, or not any more, until the next incarnation has one: messages wait for it.
    Between,
    /// On this one.
    Up(Handle),
    /// Nowhere any more.
    Stopped,
}

/// All other processes that this one talks to.
pub(crate) struct Peers {
    settings: LinkSettings,
    tls: Tls,
    stage: watch::Sender<Stage>,
    known: Mutex<HashMap<NodeId, Arc<AsyncMutex<State>>>>,
    standings: Arc<Standings>,
}

/// How one of them stands.
#[derive(Default)]
enum State {
    #[default]
    New,
    Connected(Arc<Connection>),
    /// It could not be reached at that time.
    Unreached(Instant, Unmet),
}

impl Peers {
    /// Those of this process.
    pub(crate) fn of(here: NodeId, settings: LinkSettings, tls: Tls) -> Self {
        Self {
            settings,
            tls,
            stage: watch::Sender::new(Stage::Between),
            known: Mutex::default(),
            standings: Arc::new(Standings::new(here)),
        }
    }

    /// Where connections live from now on. Those that there were end with their thread.
    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
        self.forget_all();
    }

    /// Connections have no thread for now, unless they are to have none any more.
    pub(crate) fn leave(&self) {
        self.stage.send_if_modified(|stage| {
            let was_up = matches!(stage, Stage::Up(_));
            if was_up {
                *stage = Stage::Between;
            }
            was_up
        });
        self.forget_all();
    }

    fn forget_all(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.standings.forget_all();
    }

    /// Forgets how it stands with those that are not among these.
    pub(crate) fn forget_but(&self, nodes: &[NodeId]) {
        self.standings.forget_but(nodes);
    }

    /// Connects to a process that is not connected, before anybody has a message for it.
    pub(crate) async fn meet(&self, to: &Peer) {
        // Why it was not reached is noted where that is found out.
        drop(self.connected(to).await);
    }

    async fn take(&self, to: &Peer, parcel: &Parcel) -> Result<Delivery, NotCarried> {
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            let connected = timeout_at(parcel.deadline, self.connected(to)).await;
            let connected = connected.unwrap_or_else(|_| Err(Unmet::passing("it was not connected in time")));
            let connection = connected.map_err(|Unmet { reason, lasting }| {
                self.standings.missed(to);
                if lasting { NotCarried::Unwelcome(reason) } else { NotCarried::NotSent(reason) }
            })?;
            match connection.ask(parcel).await {
                Ended::Known(end) => return end,
                Ended::Closed(why) => reason = why,
            }
        }
        Err(NotCarried::NotSent(reason))
    }

    /// The connection to a process, made unless there is one.
    async fn connected(&self, to: &Peer) -> Result<Arc<Connection>, Unmet> {
        let thread = self.thread().await?;
        let slot = self.slot(to).inspect_err(|unmet| self.standings.unmet(to, unmet))?;
        let mut state = slot.lock_owned().await;
        match &*state {
            State::Connected(connection) if connection.is_open() => return Ok(Arc::clone(connection)),
            State::Unreached(when, unmet) if when.elapsed() < self.settings.retry() => {
                return Err(unmet.clone());
            }
            _ => {}
        }
        let (to, settings, tls) = (to.clone(), self.settings.clone(), self.tls.clone());
        let standings = Arc::clone(&self.standings);
        // There, so that it lives on that thread and ends with it; to its end, also when the one who has begun it does not wait that long:
        // the next one finds what became of it, and makes no other one beside it.
        let connecting = thread.spawn(async move {
            let connected = connect(&to, &tls, &settings, standings).await;
            *state = match &connected {
                Ok(connection) => State::Connected(Arc::clone(connection)),
                Err(unmet) => State::Unreached(Instant::now(), unmet.clone()),
            };
            connected
        });
        connecting
            .await
            .unwrap_or_else(|_ended| Err(Unmet::passing("the link of this process has just ended")))
    }

    /// The thread on which connections live, once there is one.
    async fn thread(&self) -> Result<Handle, Unmet> {
        let mut stage = self.stage.subscribe();
        match stage.wait_for(|stage| !matches!(stage, Stage::Between)).await.as_deref() {
            Ok(Stage::Up(thread)) => Ok(thread.clone()),
            _ => Err(Unmet::passing("this process stops")),
        }
    }

    /// What is kept of a process. Those that are gone are forgotten when one is added.
    fn slot(&self, to: &Peer) -> Result<Arc<AsyncMutex<State>>, Unmet> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = known.get(&to.node) {
            return Ok(Arc::clone(slot));
        }
        known.retain(|_, slot| match slot.try_lock().as_deref() {
            Ok(State::Connected(connection)) => connection.is_open(),
            Ok(State::Unreached(when, _)) => when.elapsed() < self.settings.retry(),
            // Somebody is about to connect, or has been told that there is no thread for it.
            Ok(State::New) => Arc::strong_count(slot) > 1,
            Err(_) => true,
        });
        if known.len() >= self.settings.connections_max {
            return Err(Unmet::passing("this process talks to too many others (link.connections_max)"));
        }
        let slot = Arc::new(AsyncMutex::new(State::New));
        known.insert(to.node, Arc::clone(&slot));
        Ok(slot)
    }
}

/// Connects to a process and greets it, and notes how that went and how it ends.
async fn connect(
    to: &Peer,
    tls: &Tls,
    settings: &LinkSettings,
    standings: Arc<Standings>,
) -> Result<Arc<Connection>, Unmet> {
    let greeted = async { greet::call(reach(&to.address, tls).await?, to.node, settings).await };
    let greeted = timeout(settings.connect_timeout(), greeted).await;
    match greeted.unwrap_or(Err(NotGreeted::Silent(settings.connect_timeout_ms))) {
        Ok(greeted) => {
            let (connection, drive) = Connection::over(greeted, settings);
            let (to, number) = (to.clone(), standings.connected(to));
            tokio::spawn(async move { standings.ended(&to, number, &drive.await) });
            Ok(connection)
        }
        Err(error) => {
            let unmet = Unmet { reason: error.to_string(), lasting: error.is_lasting() };
            standings.unmet(to, &unmet);
            Err(unmet)
        }
    }
}

async fn reach(address: &str, tls: &Tls) -> Result<Stream, NotGreeted> {
    let stream = TcpStream::connect(address).await?;
    // Messages are small, and somebody waits for each.
    stream.set_nodelay(true)?;
    Ok(tls.connect(stream, address).await?)
}

impl Carrier for Peers {
    fn carry<'a>(&'a self, to: &'a Peer, parcel: &'a Parcel) -> BoxFuture<'a, Result<Delivery, NotCarried>> {
        Box::pin(self.take(to, parcel))
    }

    fn contact(&self, to: NodeId) -> Contact {
        self.standings.of(to)
    }
}
