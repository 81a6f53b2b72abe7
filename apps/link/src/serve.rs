//! Messages of other processes: taken from a connection, handed to the bus, answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until, timeout},
};
use umbel_bus::{AskError, Bus, Delivery, DispatchError};
use umbel_supervision::Stopping;

use crate::{
    complaints::Complaints,
    frame::{BadFrame, Frames, encode},
    greet::{self, Greeted, NotGreeted},
    load::{Held, Load},
    settings::LinkSettings,
    tls::Tls,
    wire::{Answered, Asked, WireParcel},
};

/// Longest time that a deadline may be ahead: some thirty years, what timers can hold.
const AHEAD_MAX: Duration = Duration::from_secs(1_000_000_000);

/// Whoever asks closes an idle connection himself; one that is idle for so many times that long has lost the other side.
const IDLE_FACTOR: u32 = 2;

/// What answers those that connect.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) bus: Bus,
    pub(crate) settings: LinkSettings,
    pub(crate) tls: Tls,
    pub(crate) complaints: Arc<Complaints>,
}

impl Door {
    /// Talks to one that has connected until either has enough.
    pub(crate) async fn converse(self, stream: TcpStream, from: SocketAddr, stopping: Stopping) {
        let Self { bus, settings, tls, complaints } = self;
        let complain = |what: &str, error: &dyn std::fmt::Display| {
            let said = format!("{what}: {error}");
            if complaints.is_news(from.ip(), &said, Instant::now()) {
                let here = bus.node().0;
                tracing::warn!(this_process = %here, from = %from.ip(), "{said}");
            }
        };
        let stream = match timeout(settings.connect_timeout(), tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let what = "one that connected has no certificate that is accepted (link.tls_authority)";
                return complain(what, &error);
            }
            Err(_silent) => return,
        };
        let greeted = match greet::host(stream, bus.node(), &settings).await {
            Ok(greeted) => greeted,
            Err(NotGreeted::Stranger(stranger)) => {
                return complain("a process that connected was refused", &stranger);
            }
            Err(error) => return tracing::debug!(%error, "one that connected did not greet"),
        };
        let host = Host { bus: bus.clone(), settings, frame_max: greeted.frame_max };
        if let Err(error) = host.answer_all(greeted, stopping).await {
            complain("another process said what is not understood; its connection is closed", &error);
        }
    }
}

/// Answers on one connection.
struct Host {
    bus: Bus,
    settings: LinkSettings,
    /// Bytes of a frame that both sides take.
    frame_max: usize,
}

/// An answer on its way, which counts until it is written.
struct Outgoing {
    frame: Vec<u8>,
    _held: Option<Held>,
}

impl From<Vec<u8>> for Outgoing {
    /// One that is too small to count.
    fn from(frame: Vec<u8>) -> Self {
        Self { frame, _held: None }
    }
}

impl Host {
    async fn answer_all<S>(self, greeted: Greeted<S>, stopping: Stopping) -> Result<(), BadFrame>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Greeted { stream, frames, began, .. } = greeted;
        let (read, write) = tokio::io::split(stream);
        let (answers, queue) = mpsc::channel(self.settings.requests_max);
        // What has begun is answered as long as anybody is there to hear it.
        let mut writing = tokio::spawn(write_all(write, queue));
        let ended = tokio::select! {
            ended = self.take_all(read, frames, began, &answers, stopping) => ended,
            () = answers.closed() => Ok(()),
        };
        drop(answers);
        // It ends when the last one that is being answered has been, or with this: who takes no answers keeps no connection.
        if timeout(self.settings.drain(), &mut writing).await.is_err() {
            writing.abort();
        }
        ended
    }

    async fn take_all(
        &self,
        mut read: impl AsyncRead + Unpin,
        mut frames: Frames,
        began: Instant,
        answers: &mpsc::Sender<Outgoing>,
        stopping: Stopping,
    ) -> Result<(), BadFrame> {
        let places = Arc::new(Semaphore::new(self.settings.requests_max));
        let load = Load::new(self.settings.in_flight_max_bytes);
        let (mut stopping, mut leaves_at) = (stopping, None::<Instant>);
        loop {
            while let Some((asked, bytes)) = frames.next_sized()? {
                match asked {
                    Asked::Ping => self.say(answers, &Answered::Pong).await,
                    Asked::Request { id, .. } if leaves_at.is_some() => {
                        self.refuse(answers, id, "it takes no more on this connection").await;
                    }
                    Asked::Request { id, deadline_ms, parcel } => {
                        let by = began + Duration::from_millis(deadline_ms).min(AHEAD_MAX);
                        if by <= Instant::now() {
                            self.say(answers, &Answered::TooLate { id }).await;
                            continue;
                        }
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                            self.refuse(answers, id, "too many messages are in flight (link.requests_max)")
                                .await;
                            continue;
                        };
                        let Some(mut held) = load.take(bytes) else {
                            self.refuse(
                                answers,
                                id,
                                "too many bytes are in flight (link.in_flight_max_bytes)",
                            )
                            .await;
                            continue;
                        };
                        let one = One { bus: self.bus.clone(), id, most: self.frame_max };
                        let answers = answers.clone();
                        tokio::spawn(async move {
                            let frame = one.answer(parcel, by).await;
                            held.become_of(frame.len());
                            // Whoever asked may be gone.
                            drop(answers.send(Outgoing { frame, _held: Some(held) }).await);
                            drop(place);
                        });
                    }
                }
            }
            let in_flight = places.available_permits() < self.settings.requests_max;
            let idle = self.settings.idle().saturating_mul(IDLE_FACTOR);
            let read = timeout(idle, read.read_buf(frames.space()));
            let leaves = tokio::select! {
                read = read => match read {
                    Ok(Ok(0) | Err(_)) => return Ok(()),
                    Ok(Ok(_)) => false,
                    // Not closed at once: a message may be on its way, of which nobody would know then what became of it.
                    Err(_idle) => !in_flight && leaves_at.is_none(),
                },
                () = &mut stopping, if leaves_at.is_none() => true,
                // The one who asked closes the connection once he has all answers.
                () = sleep_until(leaves_at.unwrap_or_else(Instant::now)), if leaves_at.is_some() => return Ok(()),
            };
            if leaves {
                leaves_at = Some(Instant::now() + self.settings.drain());
                self.say(answers, &Answered::Leaving).await;
            }
        }
    }

    async fn refuse(&self, answers: &mpsc::Sender<Outgoing>, id: u64, reason: &str) {
        self.say(answers, &Answered::Refused { id, reason: reason.to_owned() }).await;
    }

    async fn say(&self, answers: &mpsc::Sender<Outgoing>, what: &Answered) {
        if let Ok(frame) = encode(what, self.frame_max) {
            // Whoever asked may be gone.
            drop(answers.send(frame.into()).await);
        }
    }
}

/// One message.
struct One {
    bus: Bus,
    id: u64,
    most: usize,
}

impl One {
    /// Has it answered; the frame that goes back.
    async fn answer(&self, parcel: WireParcel, by: Instant) -> Vec<u8> {
        let parcel = match parcel.by(by) {
            Ok(parcel) => parcel,
            Err(error) => return self.refused(&error.to_string()),
        };
        let delivery = self.bus.deliver(parcel).await;
        let (is_query, became) = (matches!(delivery, Delivery::Query(_)), became(&delivery));
        let answer = Answered::Answer { id: self.id, delivery: delivery.into() };
        encode(&answer, self.most).unwrap_or_else(|error| {
            let reason = format!("{became}, but its answer cannot travel: {error}");
            let delivery = if is_query {
                Delivery::Query(Err(AskError::Failed { reason }))
            } else {
                Delivery::Command { answer: Box::new(Err(DispatchError::Failed { reason })), awaits: None }
            };
            self.frame(&Answered::Answer { id: self.id, delivery: delivery.into() })
        })
    }

    fn refused(&self, reason: &str) -> Vec<u8> {
        self.frame(&Answered::Refused { id: self.id, reason: reason.to_owned() })
    }

    /// Short enough in any case.
    fn frame(&self, answered: &Answered) -> Vec<u8> {
        encode(answered, usize::MAX).unwrap_or_default()
    }
}

/// What became of a message, in words for when its answer cannot say it.
fn became(delivery: &Delivery) -> &'static str {
    let Delivery::Command { answer, .. } = delivery else { return "it was asked" };
    match &**answer {
        Ok(_) | Err(DispatchError::NotYetVisible { .. }) => "it was carried out",
        Err(DispatchError::Rejected(_)) => "it was rejected and nothing was stored",
        Err(DispatchError::Timeout { .. }) => "nobody knows whether it was carried out",
        Err(_) => "it failed",
    }
}

/// Sends answers until there are no more, or nobody takes them.
async fn write_all(write: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Outgoing>) {
    let mut write = BufWriter::new(write);
    while let Some(one) = queue.recv().await {
        let written = match write.write_all(&one.frame).await {
            Ok(()) if queue.is_empty() => write.flush().await,
            written => written,
        };
        if let Err(error) = written {
            tracing::debug!(%error, "answers are not taken any more");
            return;
        }
    }
    // So that the other side sees an end and not an error.
    drop(write.shutdown().await);
}
