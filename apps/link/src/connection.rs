//! One connection to another process, on the side that asks: many messages in flight, each under a number.
//!
//! For every message it is known whether its first byte may have left this process: what has not was not begun by anybody, and may be sent
//! elsewhere.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter},
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};
use umbel_bus::{Delivery, NotCarried, Parcel};

use crate::{
    frame::{Frames, Unsendable, encode},
    greet::Greeted,
    load::{Held, Load},
    settings::LinkSettings,
    standing::End,
    wire::{Answered, Asked, WireDelivery, WireParcel},
};

/// A connection that carries messages, until it is closed.
pub(crate) struct Connection {
    began: Instant,
    /// What both sides take, and what this one would.
    frame_max: (usize, usize),
    next: AtomicU64,
    /// As many messages as may be in flight.
    places: Arc<Semaphore>,
    /// As many bytes as they may have together.
    load: Arc<Load>,
    outgoing: mpsc::Sender<Outgoing>,
    waiting: Mutex<Waiting>,
    /// Told when an answer has not come as long as its caller waited: then it is found out whether anybody is there.
    doubt: Notify,
    /// Told of whatever comes.
    heard: Notify,
    /// How often something came.
    times_heard: AtomicU64,
}

/// How long a connection waits for what.
#[derive(Clone, Copy)]
struct Waits {
    /// Until it is closed on which nothing is asked.
    idle: Duration,
    /// Until the other side is asked whether it is there that says nothing.
    quiet: Duration,
    /// Until it must have answered that.
    patience: Duration,
}

/// Who waits for answers.
#[derive(Default)]
struct Waiting {
    requests: HashMap<u64, Request>,
    /// Why there are no more messages on it, once that is so.
    closed: Option<String>,
}

struct Request {
    answer: oneshot::Sender<Result<WireDelivery, NotCarried>>,
    /// Whether a byte of it may have left.
    sent: bool,
}

struct Outgoing {
    id: u64,
    frame: Vec<u8>,
    /// Also when its caller has given up and it is still here.
    _held: Arc<Held>,
}

/// How a message ended that a connection was given.
pub(crate) enum Ended {
    /// Somebody answered, or nobody will.
    Known(Result<Delivery, NotCarried>),
    /// It was not sent, as the connection was closed by then. A new one may be made.
    Closed(String),
}

/// Takes its request out when its caller goes away.
struct Place<'a> {
    connection: &'a Connection,
    id: u64,
}

impl Connection {
    /// A connection over this stream, and what it does until it is closed.
    pub(crate) fn over<S>(
        greeted: Greeted<S>,
        settings: &LinkSettings,
    ) -> (Arc<Self>, impl Future<Output = End> + Send + use<S>)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Greeted { stream, frames, began, frame_max } = greeted;
        let (outgoing, queue) = mpsc::channel(settings.requests_max);
        let connection = Arc::new(Self {
            began,
            frame_max: (frame_max, settings.frame_max_bytes),
            next: AtomicU64::new(1),
            places: Arc::new(Semaphore::new(settings.requests_max)),
            load: Load::new(settings.in_flight_max_bytes),
            outgoing,
            waiting: Mutex::default(),
            doubt: Notify::new(),
            heard: Notify::new(),
            times_heard: AtomicU64::new(0),
        });
        let driven = Arc::clone(&connection);
        let waits =
            Waits { idle: settings.idle(), quiet: settings.quiet(), patience: settings.connect_timeout() };
        (connection, async move { driven.drive(stream, frames, queue, waits).await })
    }

    /// Whether it takes messages.
    pub(crate) fn is_open(&self) -> bool {
        self.waiting().closed.is_none()
    }

    /// Sends a message and waits for what becomes of it until its deadline.
    pub(crate) async fn ask(&self, parcel: &Parcel) -> Ended {
        let Ok(_place) = self.places.try_acquire() else {
            let reason = "too many messages to it are in flight (link.requests_max)";
            return Ended::Known(Err(NotCarried::NotSent(reason.into())));
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let frame = match self.frame(id, parcel) {
            Ok(frame) => frame,
            Err(error) => {
                let reason = format!("{} cannot leave the process: {error}", parcel.name);
                let (_, ours) = self.frame_max;
                let error = match error {
                    Unsendable::TooLong { length, .. } if length <= ours => NotCarried::TooLarge(reason),
                    _ => NotCarried::Impossible(reason),
                };
                return Ended::Known(Err(error));
            }
        };
        let Some(held) = self.load.take(frame.len()).map(Arc::new) else {
            let reason = "too many bytes for it are in flight (link.in_flight_max_bytes)";
            return Ended::Known(Err(NotCarried::NotSent(reason.into())));
        };
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if let Some(reason) = &waiting.closed {
                return Ended::Closed(reason.clone());
            }
            waiting.requests.insert(id, Request { answer, sent: false });
        }
        let mine = Place { connection: self, id };
        // There is room for as many as have a place, unless some have given up whose frames still wait.
        let outgoing = Outgoing { id, frame, _held: Arc::clone(&held) };
        if self.outgoing.try_send(outgoing).is_err() {
            return if self.is_open() {
                let reason = "too many messages to it wait to be sent (link.requests_max)";
                Ended::Known(Err(NotCarried::NotSent(reason.into())))
            } else {
                Ended::Closed("the connection was closed".into())
            };
        }
        let ended = timeout_at(parcel.deadline, answered).await;
        let was_sent = mine.take_back();
        Ended::Known(match ended {
            Ok(Ok(Ok(delivery))) => {
                delivery.try_into().map_err(|error| NotCarried::Lost(format!("its answer is none: {error}")))
            }
            Ok(Ok(Err(NotCarried::NotSent(reason)))) if !self.is_open() => return Ended::Closed(reason),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_dropped)) => Err(NotCarried::Lost("the connection ended".into())),
            Err(_elapsed) if was_sent == Some(false) => {
                // What is before it is not taken.
                self.doubt.notify_one();
                Err(NotCarried::NotSent("it could not be sent before its deadline".into()))
            }
            Err(_elapsed) => {
                self.doubt.notify_one();
                Err(NotCarried::Late)
            }
        })
    }

    fn frame(&self, id: u64, parcel: &Parcel) -> Result<Vec<u8>, Unsendable> {
        let left = parcel.deadline.saturating_duration_since(self.began);
        let deadline_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let parcel = WireParcel::of(parcel).map_err(|error| Unsendable::NoJson(error.to_string()))?;
        encode(&Asked::Request { id, deadline_ms, parcel }, self.frame_max.0)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more messages. Those that were not sent may be sent elsewhere; of the others nobody hears any more.
    pub(crate) fn close(&self, reason: &str) {
        let mut waiting = self.waiting();
        waiting.closed.get_or_insert_with(|| reason.to_owned());
        for (_, Request { answer, sent }) in waiting.requests.drain() {
            let error = if sent {
                NotCarried::Lost(format!("the connection ended before its answer: {reason}"))
            } else {
                NotCarried::NotSent(reason.to_owned())
            };
            // Its caller may have gone meanwhile.
            drop(answer.send(Err(error)));
        }
    }

    async fn drive<S>(&self, stream: S, frames: Frames, queue: mpsc::Receiver<Outgoing>, waits: Waits) -> End
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        // Also when this future is dropped, as with the thread that it runs on.
        let _closing = Closing(self);
        let (read, write) = tokio::io::split(stream);
        let (ping, pings) = mpsc::channel(1);
        let reason = tokio::select! {
            reason = self.read(read, frames) => reason,
            reason = self.write(write, queue, pings, waits.idle) => reason,
            reason = self.be_in_doubt(ping, waits) => reason,
        };
        tracing::debug!(%reason, "a connection to another process ends");
        let in_order = !self.is_open();
        self.close(&reason);
        End { in_order, reason }
    }

    /// Hands out answers.
    async fn read(&self, mut read: impl AsyncRead + Unpin, mut frames: Frames) -> String {
        loop {
            match frames.next() {
                Ok(Some(answered)) => {
                    match answered {
                        Answered::Answer { id, delivery } => self.answer(id, Ok(delivery)),
                        Answered::Refused { id, reason } => {
                            self.answer(id, Err(NotCarried::NotSent(reason)));
                        }
                        Answered::TooLate { id } => self.come_too_late(id),
                        Answered::Leaving => self.retire("it takes no more on this connection"),
                        Answered::Pong => {}
                    }
                    if self.is_done() {
                        return "it has brought back all".into();
                    }
                }
                Ok(None) => match read.read_buf(frames.space()).await {
                    Ok(0) => return "the other process has closed the connection".into(),
                    // Also a part of an answer that is long in coming.
                    Ok(_) => {
                        self.times_heard.fetch_add(1, Ordering::Relaxed);
                        self.heard.notify_waiters();
                    }
                    Err(error) => return error.to_string(),
                },
                Err(error) => return error.to_string(),
            }
        }
    }

    /// Sends what waits, and closes a connection on which nothing does for long.
    async fn write(
        &self,
        write: impl AsyncWrite + Unpin,
        mut queue: mpsc::Receiver<Outgoing>,
        mut pings: mpsc::Receiver<Vec<u8>>,
        idle: Duration,
    ) -> String {
        let mut write = BufWriter::new(write);
        // A ping is nothing that is asked.
        let mut idle_at = Instant::now() + idle;
        loop {
            let next = tokio::select! {
                biased;
                Some(ping) = pings.recv() => Ok(Some(ping)),
                next = timeout_at(idle_at, queue.recv()) => {
                    idle_at = Instant::now() + idle;
                    next.map(|next| next.filter(|one| self.begins(one.id)).map(|one| one.frame))
                }
            };
            let written = match next {
                Ok(Some(frame)) => write.write_all(&frame).await,
                Ok(None) => Ok(()),
                Err(_idle) if self.is_idle() => return "it was idle".into(),
                Err(_idle) => Ok(()),
            };
            let flushed = match written {
                Ok(()) if queue.is_empty() => write.flush().await,
                written => written,
            };
            if let Err(error) = flushed {
                return error.to_string();
            }
        }
    }

    /// Resolves when the other side is silent that should have answered: it is asked when an answer is late, and when nothing came for long,
    /// as from behind a network that was cut.
    async fn be_in_doubt(&self, ping: mpsc::Sender<Vec<u8>>, waits: Waits) -> String {
        loop {
            tokio::select! {
                () = self.doubt.notified() => {}
                () = self.quiet(waits.quiet) => {}
            }
            let heard = self.heard.notified();
            let Ok(frame) = encode(&Asked::Ping, self.frame_max.0) else { continue };
            // If one is being written still, that one is answered.
            drop(ping.try_send(frame));
            if timeout(waits.patience, heard).await.is_err() {
                return "the other process is silent".into();
            }
        }
    }

    /// Resolves when nothing has come for so long, or up to twice that.
    async fn quiet(&self, long: Duration) {
        loop {
            let before = self.times_heard.load(Ordering::Relaxed);
            sleep(long).await;
            if self.times_heard.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    /// Whether somebody still waits for that message; from now on it counts as sent.
    fn begins(&self, id: u64) -> bool {
        let mut waiting = self.waiting();
        let request = waiting.requests.get_mut(&id);
        request.map(|request| request.sent = true).is_some()
    }

    /// A message came too late for the other side. When its caller waits still, their clocks have gone apart, as when one machine was
    /// suspended: no more messages on this connection, and that one on a new one.
    fn come_too_late(&self, id: u64) {
        let reason = "its clock and that of the other process have gone apart";
        if self.waiting().requests.contains_key(&id) {
            self.retire(reason);
            self.answer(id, Err(NotCarried::NotSent(reason.into())));
        }
    }

    /// Takes no more messages, and brings back what is in flight.
    fn retire(&self, reason: &str) {
        self.waiting().closed.get_or_insert_with(|| reason.to_owned());
    }

    fn answer(&self, id: u64, answer: Result<WireDelivery, NotCarried>) {
        let request = self.waiting().requests.remove(&id);
        if let Some(request) = request {
            // Its caller may have gone at this moment.
            drop(request.answer.send(answer));
        }
    }

    /// Whether nothing is in flight; then nothing may be from now on.
    fn is_idle(&self) -> bool {
        let mut waiting = self.waiting();
        let is_idle = waiting.requests.is_empty();
        if is_idle {
            waiting.closed.get_or_insert_with(|| "it was idle".into());
        }
        is_idle
    }

    /// Whether it takes no more messages and has brought back all.
    fn is_done(&self) -> bool {
        let waiting = self.waiting();
        waiting.closed.is_some() && waiting.requests.is_empty()
    }
}

/// Closes a connection whose future is gone.
struct Closing<'a>(&'a Connection);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close("the link of this process has ended");
    }
}

impl Place<'_> {
    /// Whether the message was sent; `None` when it was answered.
    fn take_back(&self) -> Option<bool> {
        self.connection.waiting().requests.remove(&self.id).map(|request| request.sent)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Its caller has gone before its deadline, as one whose own client hung up. Was it for want of an answer?
        if self.take_back() == Some(true) {
            self.connection.doubt.notify_one();
        }
    }
}
