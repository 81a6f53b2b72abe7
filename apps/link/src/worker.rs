//! The link as a part of an umbrella, on a thread of its own: it carries messages for parts whose threads may be blocked.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::Result;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};
use umbel_bus::Bus;
use umbel_supervision::{Worker, WorkerContext, cannot_listen};

use crate::{
    complaints::Complaints,
    keep::keep,
    peers::{Peers, Stage},
    serve::Door,
    settings::LinkSettings,
    tls::Tls,
};

/// The pause after a connection that could not be taken, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Carries messages between this bus and the processes on its store, as a child of a supervision tree; nothing when the settings name no
/// address, or no other process can be on the store.
///
/// It is made after the store, and starts behind the apps, so that it is gone before they are: what others ask is then refused while somebody else can be asked.
///
/// # Errors
/// When the settings contradict each other, see [`LinkSettings::check`], or a certificate cannot be used.
pub fn worker(settings: LinkSettings, bus: &Bus) -> Result<Option<Worker>> {
    settings.check()?;
    let Some(address) = settings.address.filter(|_| bus.shares_store()) else { return Ok(None) };
    let tls = Tls::load(&settings)?;
    let peers = Arc::new(Peers::of(bus.node(), settings.clone(), tls.clone()));
    // At once, so that whoever has a message before the link is up waits for it.
    bus.set_carrier(Arc::clone(&peers) as Arc<_>);
    let bus = bus.clone();
    let start = move |context| {
        let (settings, tls) = (settings.clone(), tls.clone());
        let link = Link { address, settings, tls, bus: bus.clone(), peers: Arc::clone(&peers) };
        link.run(context)
    };
    Ok(Some(Worker::new("link", start).own_thread()))
}

/// One incarnation.
struct Link {
    address: SocketAddr,
    settings: LinkSettings,
    tls: Tls,
    bus: Bus,
    peers: Arc<Peers>,
}

impl Link {
    async fn run(self, context: WorkerContext) -> Result<()> {
        let (address, settings) = (self.address, &self.settings);
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| cannot_listen(address, "link", error))?;
        let bound = listener.local_addr()?;
        let advertised =
            if settings.advertise.is_empty() { bound.to_string() } else { settings.advertise.clone() };
        tracing::info!("other processes of this store reach this one at {advertised}");
        self.peers.enter(Stage::Up(Handle::current()));
        self.bus.reached_at(Some(advertised));
        context.ready();
        let door = Door {
            bus: self.bus.clone(),
            settings: settings.clone(),
            tls: self.tls.clone(),
            complaints: Arc::new(Complaints::default()),
        };
        let mut keeping = pin!(keep(Arc::clone(&self.peers), self.bus.clone()));
        let mut conversations = JoinSet::new();
        loop {
            tokio::select! {
                () = context.stopping() => break,
                // How it went is told where it went wrong.
                Some(_) = conversations.join_next() => {}
                never = &mut keeping => match never {},
                accepted = listener.accept(), if conversations.len() < settings.connections_max => match accepted {
                    Ok((stream, from)) => {
                        // Answers are small, and somebody waits for each.
                        drop(stream.set_nodelay(true));
                        conversations.spawn(door.clone().converse(stream, from, context.stopping()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot take a connection of another process");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        self.bus.reached_at(None);
        // What others have asked is answered; what they ask now is refused.
        let all = async { while conversations.join_next().await.is_some() {} };
        drop(timeout(settings.drain(), all).await);
        self.peers.enter(Stage::Stopped);
        Ok(())
    }
}

impl Drop for Link {
    /// However it ends: its connections are of no use any more, and those of the next incarnation are made anew.
    fn drop(&mut self) {
        self.bus.reached_at(None);
        self.peers.leave();
    }
}
