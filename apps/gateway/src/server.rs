//! The HTTP server as a supervised worker: binds, serves, drains.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::{self, ServerHandle},
    middleware::from_fn,
};
use anyhow::{Result, bail};
use tokio::task::spawn_blocking;
use umbel_bus::Bus;
use umbel_supervision::{Worker, WorkerContext, cannot_listen};

use crate::{edge, floor, health::Readiness, routes, secret, settings::GatewaySettings, state::State};

/// Seconds for which an idle connection is kept open for its next request.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Where the server listens, once it does: of interest when the settings leave the port open. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct BoundAddress(Arc<Mutex<Option<SocketAddr>>>);

impl BoundAddress {
    /// The address, or `None` before the first start.
    #[must_use]
    pub fn get(&self) -> Option<SocketAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, address: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }
}

/// The gateway as a child of a supervision tree. It is up when its address is bound, and stops by finishing the
/// requests in flight.
#[must_use]
pub fn worker(settings: GatewaySettings, bus: Bus, readiness: Readiness, bound: BoundAddress) -> Worker {
    Server { settings, bus, readiness, bound, serves: Serves::Conduit }.worker()
}

/// What a server is made of, each time it is started.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) settings: GatewaySettings,
    pub(crate) bus: Bus,
    pub(crate) readiness: Readiness,
    pub(crate) bound: BoundAddress,
    pub(crate) serves: Serves,
}

/// Which routes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// The API.
    Conduit,
    /// What the API is compared with.
    Floor,
}

impl Server {
    pub(crate) fn worker(self) -> Worker {
        Worker::new("gateway", move |context| serve(self.clone(), context))
    }
}

async fn serve(server: Server, context: WorkerContext) -> Result<()> {
    let Server { settings, bus, readiness, bound, serves } = server;
    let for_secret = settings.clone();
    let secret = spawn_blocking(move || secret::find(&for_secret)).await??;
    let state = State::new(&settings, &secret, bus, readiness);
    // After a restart the port that was taken at first is kept: clients know it by now.
    let address = bound.get().unwrap_or(settings.address);
    let server = HttpServer::new(move || {
        App::new().wrap(from_fn(edge::around)).configure(|config| match serves {
            Serves::Conduit => routes::configure(&state)(config),
            Serves::Floor => floor::configure(&state)(config),
        })
    })
    .workers(settings.workers)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(Duration::from_millis(settings.head_deadline_ms))
    .shutdown_timeout(settings.request_deadline().as_secs() + 1)
    .disable_signals()
    .bind(address)
    .map_err(|error| cannot_listen(address, "gateway", error))?;
    let listening = server.addrs().first().copied().unwrap_or(address);
    bound.set(listening);

    tracing::info!("listening on http://{listening}");
    until_stopped(server.run(), context, "HTTP server").await
}

/// Runs a server that listens already until its worker is to stop.
pub(crate) async fn until_stopped(server: dev::Server, context: WorkerContext, what: &str) -> Result<()> {
    let running = Running(server.handle());
    let mut ended = actix_web::rt::spawn(server);
    context.ready();
    tokio::select! {
        ended = &mut ended => {
            ended??;
            bail!("the {what} ended by itself");
        }
        () = context.stopping() => {}
    }
    running.0.stop(true).await;
    Ok(ended.await??)
}

/// Ends the server's threads with the worker, also when the worker is abandoned.
struct Running(ServerHandle);

impl Drop for Running {
    fn drop(&mut self) {
        // The order is given here; what is dropped is only the wait for it.
        drop(self.0.stop(false));
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use umbel_bus::BusSettings;
    use umbel_supervision::{Group, Outcome, Policy, Supervisor};

    use super::*;
    use crate::tests::settings;

    fn start(settings: GatewaySettings, bound: &BoundAddress) -> Supervisor {
        let bus = Bus::new(BusSettings::default());
        let gateway = worker(settings, bus, Readiness::new(|| async { Ok(()) }), bound.clone());
        Supervisor::start(Group::new("test", Policy::default()).child(gateway))
    }

    async fn up(supervisor: &Supervisor) {
        supervisor.tree().wait_until_up(Duration::from_secs(10)).await.unwrap();
    }

    async fn status_line(address: SocketAddr) -> std::io::Result<String> {
        let answer = exchange(address, "GET", "/health/ready").await?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    /// All that comes over the wire.
    async fn exchange(address: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[test]
    fn the_answer_to_head_has_no_body() {
        actix::System::new().block_on(async {
            let bound = BoundAddress::default();
            let supervisor = start(settings(), &bound);
            up(&supervisor).await;
            let answer = exchange(bound.get().unwrap(), "HEAD", "/health/live").await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("content-length: 17"), "{head}");
            assert_eq!(body, "");
            supervisor.shut_down().await;
        });
    }

    /// Given a client that does not send all of a request, or too much of its head, then it is told with the status that says so and hung up
    /// on, and others are served.
    #[test]
    fn a_request_that_is_slow_or_whose_head_is_too_large_is_refused() {
        actix::System::new().block_on(async {
            let bound = BoundAddress::default();
            let settings = GatewaySettings { head_deadline_ms: 1000, request_deadline_ms: 300, ..settings() };
            let supervisor = start(settings, &bound);
            up(&supervisor).await;
            let address = bound.get().unwrap();
            let unfinished = "GET /health/live HTTP/1.1\r\nHost: x\r\n";
            let large = format!("{unfinished}X-Large: {}\r\n\r\n", "x".repeat(128 * 1024));
            let many: String = (0..100).map(|number| format!("X-{number}: x\r\n")).collect();
            for (head, status) in [
                (unfinished.to_owned(), "HTTP/1.1 408 Request Timeout"),
                (
                    "POST /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{"
                        .to_owned(),
                    "HTTP/1.1 408 Request Timeout",
                ),
                (large, "HTTP/1.1 431 Request Header Fields Too Large"),
                (format!("{unfinished}{many}\r\n"), "HTTP/1.1 431 Request Header Fields Too Large"),
            ] {
                let answer = sent(address, &head).await;
                assert_eq!(answer.lines().next(), Some(status), "{answer}");
                assert_eq!(status_line(address).await.unwrap(), "HTTP/1.1 200 OK");
            }
            supervisor.shut_down().await;
        });
    }

    /// All that comes back for what is sent, until the server hangs up.
    async fn sent(address: SocketAddr, head: &str) -> String {
        let (mut read, mut write) = tokio::net::TcpStream::connect(address).await.unwrap().into_split();
        let mut answer = Vec::new();
        // It may hang up before all was sent, which is an error for whoever goes on to write, and may be one for whoever reads on.
        let (_written, _read) = tokio::join!(write.write_all(head.as_bytes()), read.read_to_end(&mut answer));
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn serves_while_it_is_up_and_frees_its_address() {
        actix::System::new().block_on(async {
            let bound = BoundAddress::default();
            let supervisor = start(settings(), &bound);
            up(&supervisor).await;
            let address = bound.get().unwrap();
            assert_eq!(status_line(address).await.unwrap(), "HTTP/1.1 200 OK");
            assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
            assert!(status_line(address).await.is_err(), "nobody listens any more");
        });
    }

    #[test]
    fn an_address_in_use_is_one_clear_error() {
        actix::System::new().block_on(async {
            let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = taken.local_addr().unwrap();
            let supervisor = start(GatewaySettings { address, ..settings() }, &BoundAddress::default());
            let Outcome::FailedToStart { path, cause } = supervisor.finished().await else {
                panic!("it started on a taken address");
            };
            assert_eq!(path, "test/gateway");
            assert!(cause.contains(&address.to_string()) && cause.contains("[gateway] address"), "{cause}");
        });
    }

    #[test]
    fn without_a_secret_it_does_not_start() {
        actix::System::new().block_on(async {
            let no_secret = GatewaySettings { jwt_secret: crate::settings::Secret::default(), ..settings() };
            let outcome = start(no_secret, &BoundAddress::default()).finished().await;
            assert!(matches!(outcome, Outcome::FailedToStart { cause, .. } if cause.contains("jwt_secret")));
        });
    }
}
