//! Messages of other processes: taken from a connection, handed to the bus, answered.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until, timeout},
};
use umbel_bus::{AskError, Bus, Delivery, DispatchError, Errand};
use umbel_supervision::Stopping;

use crate::{
    frame::{BadFrame, Frames, encode},
    greet::{self, Greeted, NotGreeted},
    settings::LinkSettings,
    tls::Tls,
    wire::{Answered, Asked, WireParcel},
};

/// Longest time that a deadline may be ahead: some thirty years, what timers can hold.
const AHEAD_MAX: Duration = Duration::from_secs(1_000_000_000);

/// Whoever asks closes an idle connection himself; one that is idle for so many times that long has lost the other side.
const IDLE_FACTOR: u32 = 2;

/// Talks to one that has connected until either has enough.
pub(crate) async fn converse(
    stream: TcpStream,
    bus: Bus,
    (settings, tls): (LinkSettings, Tls),
    stopping: Stopping,
) {
    let stream = match timeout(settings.connect_timeout(), tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(%error, "one that connected has no certificate that is accepted (link.tls_authority)");
            return;
        }
        Err(_silent) => return,
    };
    match greet::host(stream, bus.node(), &settings).await {
        Ok(greeted) => Host { bus, settings }.answer_all(greeted, stopping).await,
        Err(NotGreeted::Stranger(stranger)) => {
            tracing::warn!(%stranger, "a process that connected was refused");
        }
        Err(error) => tracing::debug!(%error, "one that connected did not greet"),
    }
}

/// Answers on one connection.
struct Host {
    bus: Bus,
    settings: LinkSettings,
}

impl Host {
    async fn answer_all<S>(self, greeted: Greeted<S>, stopping: Stopping)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Greeted { stream, frames, began } = greeted;
        let (read, write) = tokio::io::split(stream);
        let (answers, queue) = mpsc::channel(self.settings.requests_max);
        // What has begun is answered as long as anybody is there to hear it.
        let mut writing = tokio::spawn(write_all(write, queue));
        let ended = tokio::select! {
            ended = self.take_all(read, frames, began, &answers, stopping) => ended,
            () = answers.closed() => Ok(()),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "another process said what is not understood; its connection is closed");
        }
        drop(answers);
        // It ends when the last one that is being answered has been, or with this: who takes no answers keeps no connection.
        if timeout(self.settings.drain(), &mut writing).await.is_err() {
            writing.abort();
        }
    }

    async fn take_all(
        &self,
        mut read: impl AsyncRead + Unpin,
        mut frames: Frames,
        began: Instant,
        answers: &mpsc::Sender<Vec<u8>>,
        stopping: Stopping,
    ) -> Result<(), BadFrame> {
        let places = Arc::new(Semaphore::new(self.settings.requests_max));
        let (mut stopping, mut leaves_at) = (stopping, None::<Instant>);
        loop {
            while let Some(asked) = frames.next()? {
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
                        let one = One { bus: self.bus.clone(), id, most: self.settings.frame_max_bytes };
                        let answers = answers.clone();
                        tokio::spawn(async move {
                            let answer = one.answer(parcel, by).await;
                            // Whoever asked may be gone.
                            drop(answers.send(answer).await);
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

    async fn refuse(&self, answers: &mpsc::Sender<Vec<u8>>, id: u64, reason: &str) {
        self.say(answers, &Answered::Refused { id, reason: reason.to_owned() }).await;
    }

    async fn say(&self, answers: &mpsc::Sender<Vec<u8>>, what: &Answered) {
        if let Ok(frame) = encode(what, self.settings.frame_max_bytes) {
            // Whoever asked may be gone.
            drop(answers.send(frame).await);
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
        let is_query = matches!(parcel.errand, Errand::Query);
        let delivery = self.bus.deliver(parcel).await;
        let answer = Answered::Answer { id: self.id, delivery: delivery.into() };
        encode(&answer, self.most).unwrap_or_else(|error| {
            let reason = format!("its answer cannot travel: {error}");
            let delivery = if is_query {
                Delivery::Query(Err(AskError::Failed { reason }))
            } else {
                let reason = format!("it was carried out, but {reason}");
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

/// Sends answers until there are no more, or nobody takes them.
async fn write_all(write: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut write = BufWriter::new(write);
    while let Some(frame) = queue.recv().await {
        let written = match write.write_all(&frame).await {
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
