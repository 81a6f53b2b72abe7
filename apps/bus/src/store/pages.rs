//! Page after page of a stream or of the log as one lazy stream of events.
//!
//! Pages begin small and double up to the size asked for, so that the first events are there soon, and the next page is on its
//! way soon, also when everything fits into one. While the events of one page are handed out the next page is on its way, and
//! no more than that: two pages are in memory at most. A stream goes from page to page by what each says was looked at, so holes
//! in the log cost nothing and hide nothing.

use std::{
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use futures_util::{FutureExt, Stream, future::BoxFuture};
use umbel_core::{
    Position, RecordedEvent, Request, Version,
    document::Direction,
    store::{AllPage, ReadAll, ReadError, ReadStream, StoreError, StreamPage},
};

use super::Store;

/// Events of the first page.
const FIRST_PAGE: u32 = 256;

/// A request for a page that leads to the next one.
trait Paged: Request<Error: From<StoreError>> + Clone {
    /// The events of the page that was asked for, and the request for what comes behind it; `None` at the end.
    fn turn(self, page: Self::Answer) -> Turned<Self>;

    /// How many events it asks for.
    fn limit(&mut self) -> &mut u32;
}

type Turned<P> = Result<(Vec<RecordedEvent>, Option<P>), <P as Request>::Error>;

/// The events of one page after the other.
struct Pages<P: Paged> {
    store: Store,
    /// Events of a page that is large enough.
    limit: u32,
    /// What is left of the page at hand.
    events: vec::IntoIter<RecordedEvent>,
    next: Option<Ahead<P>>,
}

/// The page behind the one at hand.
struct Ahead<P: Paged> {
    request: P,
    asking: BoxFuture<'static, Result<P::Answer, P::Error>>,
    arrived: Option<Result<P::Answer, P::Error>>,
    /// Whether it was asked for at all.
    sent: bool,
    /// Whether somebody has waited for it. Nobody can be blamed for what came to nothing before: its deadline may have
    /// passed only because the page at hand took long.
    wanted: bool,
}

impl Store {
    /// All events of a stream from the given one on, lazily, in pages of up to `limit` events. It ends at the end of the stream as it
    /// is when it gets there (or at its first event, going backward), and after an error. Each page has the deadline of a
    /// request of its own.
    pub fn stream_events(
        &self,
        request: ReadStream,
    ) -> impl Stream<Item = Result<RecordedEvent, ReadError>> + Send + use<> {
        Pages::new(self.clone(), ReadStream { limit: request.limit.max(1), ..request })
    }

    /// All events of the log that the request selects, from the given position on, lazily, in pages of up to `limit` events. It ends
    /// at the head of the log as it is when it gets there (or at the log's first event, going backward), and after an error.
    /// Each page has the deadline of a request of its own.
    pub fn stream_all(
        &self,
        request: ReadAll,
    ) -> impl Stream<Item = Result<RecordedEvent, StoreError>> + Send + use<> {
        Pages::new(self.clone(), ReadAll { limit: request.limit.max(1), ..request })
    }
}

impl<P: Paged> Pages<P> {
    fn new(store: Store, mut first: P) -> Self {
        let limit = *first.limit();
        *first.limit() = limit.min(FIRST_PAGE);
        let first = Ahead { wanted: true, ..Ahead::ask(&store, first) };
        Self { store, limit, events: Vec::new().into_iter(), next: Some(first) }
    }
}

impl<P: Paged> Ahead<P> {
    fn ask(store: &Store, request: P) -> Self {
        let (store, asked) = (store.clone(), request.clone());
        let asking = async move { store.read(asked).await }.boxed();
        Self { request, asking, arrived: None, sent: false, wanted: false }
    }

    /// Goes on asking; the first time, that sends the request.
    fn drive(&mut self, context: &mut Context<'_>) {
        self.sent = true;
        if self.arrived.is_none()
            && let Poll::Ready(page) = self.asking.poll_unpin(context)
        {
            self.arrived = Some(page);
        }
    }
}

/// Nothing in it is pinned in place.
impl<P: Paged> Unpin for Pages<P> {}

impl<P: Paged> Stream for Pages<P> {
    type Item = Result<RecordedEvent, P::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pages = &mut *self;
        loop {
            // Not for every event: once it is sent, the answer keeps until the page at hand is done with.
            if let Some(next) = &mut pages.next
                && (!next.sent || pages.events.len() == 0)
            {
                next.drive(context);
            }
            if let Some(event) = pages.events.next() {
                return Poll::Ready(Some(Ok(event)));
            }
            let Some(Ahead { request, asking, arrived, sent, wanted }) = pages.next.take() else {
                return Poll::Ready(None);
            };
            match arrived {
                None => {
                    pages.next = Some(Ahead { request, asking, arrived, sent, wanted: true });
                    return Poll::Pending;
                }
                Some(Err(_)) if !wanted => {
                    pages.next = Some(Ahead { wanted: true, ..Ahead::ask(&pages.store, request) });
                }
                Some(page) => match page.and_then(|page| request.turn(page)) {
                    Ok((events, next)) => {
                        pages.events = events.into_iter();
                        pages.next = next.map(|mut request| {
                            *request.limit() = request.limit().saturating_mul(2).min(pages.limit);
                            Ahead::ask(&pages.store, request)
                        });
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }
}

impl Paged for ReadStream {
    fn turn(self, page: StreamPage) -> Turned<Self> {
        let last = page.events.last().map(RecordedEvent::version_read);
        let from = last.and_then(|last| match self.direction {
            Direction::Forward => (last < page.version).then(|| last.next()),
            Direction::Backward => (last.get() > 1).then(|| Version::new(last.get() - 1)),
        });
        check_progress(self.direction, self.from.map(Version::get), from.map(Version::get))?;
        Ok((page.events, from.map(|from| Self { from: Some(from), ..self })))
    }

    fn limit(&mut self) -> &mut u32 {
        &mut self.limit
    }
}

impl Paged for ReadAll {
    fn turn(self, page: AllPage) -> Turned<Self> {
        let scanned_to = page.scanned_to;
        let from = match self.direction {
            Direction::Forward => (scanned_to < page.head).then(|| scanned_to.next()),
            Direction::Backward => (scanned_to.get() > 1).then(|| Position::new(scanned_to.get() - 1)),
        };
        check_progress(self.direction, self.from.map(Position::get), from.map(Position::get))?;
        Ok((page.events, from.map(|from| Self { from: Some(from), ..self })))
    }

    fn limit(&mut self) -> &mut u32 {
        &mut self.limit
    }
}

/// Whether the next page begins behind the beginning of this one. Otherwise the stream would go on for ever.
fn check_progress(direction: Direction, this: Option<u64>, next: Option<u64>) -> Result<(), StoreError> {
    let (Some(next), this) = (next, this) else { return Ok(()) };
    let goes_on = match direction {
        Direction::Forward => next > this.unwrap_or(1),
        Direction::Backward => this.is_none_or(|this| next < this),
    };
    if goes_on {
        return Ok(());
    }
    Err(StoreError::Failed { reason: format!("a page led back to {next}, where it began or before") })
}
