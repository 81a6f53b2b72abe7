//! Page after page of a stream or of the log as one lazy stream of events.
//!
//! Pages begin small and double up to the size asked for, so that the first events are there soon. What a store hands over of a page
//! while it reads the rest is handed on at once. As soon as a page is there, and while its events are handed out, the next one is on
//! its way, and no more than that: two pages are in memory at most. Whether it is there is looked at between the parts, so that
//! the store does not wait for who is still at work on what it handed over. A stream goes from page to page by what each says was looked at,
//! so holes in the log cost nothing and hide nothing.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use futures_util::{FutureExt, Stream, future::BoxFuture};
use tokio::sync::mpsc;
use umbel_core::{
    Position, RecordedEvent, Version,
    document::Direction,
    store::{AllPage, Parts, ReadAll, ReadError, ReadInParts, ReadStream, StoreError, StreamPage},
};

use super::Store;

/// Events of the first page.
const FIRST_PAGE: u32 = 1024;

/// A request for a page that leads to the next one.
trait Paged: Clone {
    type Page;
    type Error;

    /// Asks for it.
    fn ask(self, store: Store, parts: Parts) -> BoxFuture<'static, Result<Self::Page, Self::Error>>;

    /// Takes what is left of the events of the page.
    fn events(page: &mut Self::Page) -> Vec<RecordedEvent>;

    /// The request for what comes behind the page that was asked for and ended with this event; `None` at the end.
    fn turn(self, page: &Self::Page, last: Option<Last>) -> Result<Option<Self>, Self::Error>;

    /// The request for what comes behind this event of the page that was asked for; `None` at the end.
    fn behind(self, last: Last) -> Option<Self>;

    /// How many events it asks for.
    fn limit(&mut self) -> &mut u32;
}

/// The events of one page after the other.
struct Pages<P: Paged> {
    store: Store,
    /// Events of a page that is large enough.
    limit: u32,
    /// The events at hand.
    events: vec::IntoIter<RecordedEvent>,
    /// Those behind them.
    parts: VecDeque<Vec<RecordedEvent>>,
    next: Option<Ahead<P>>,
    /// Why there is nothing behind that.
    broken: Option<P::Error>,
}

/// A page on its way.
struct Ahead<P: Paged> {
    request: P,
    asking: BoxFuture<'static, Result<P::Page, P::Error>>,
    arrived: Option<Result<P::Page, P::Error>>,
    /// What is handed over before it is there.
    parts: mpsc::UnboundedReceiver<Vec<RecordedEvent>>,
    /// The last event of it that came.
    last: Option<Last>,
    /// Whether somebody has waited for it. Nobody can be blamed for what came to nothing before: its deadline may have
    /// passed only because the page at hand took long.
    wanted: bool,
}

/// Where an event is: in the log, and in the stream that was read.
#[derive(Clone, Copy)]
struct Last {
    position: Position,
    version: Version,
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
        let next = Some(Ahead { wanted: true, ..Ahead::ask(&store, first) });
        Self { store, limit, events: Vec::new().into_iter(), parts: VecDeque::new(), next, broken: None }
    }

    /// Takes what has come of the page on its way. Once all of it has, and no more than a page waits here, turns to the next one.
    fn look(&mut self, context: &mut Context<'_>) {
        while let Some(mut ahead) = self.next.take() {
            ahead.drive(context);
            ahead.receive(context, &mut self.parts);
            let waits = self.parts.is_empty();
            match ahead.arrived.take() {
                Some(Ok(page)) if waits || self.has_room() => {
                    self.broken = self.turn(ahead, page, context).err();
                }
                Some(Err(_)) if waits && !ahead.wanted => self.next = ahead.again(&self.store),
                // What came before it is handed out.
                Some(Err(error)) if waits => self.broken = Some(error),
                arrived => {
                    self.next = Some(Ahead { arrived, wanted: ahead.wanted || waits, ..ahead });
                    return;
                }
            }
            if !self.parts.is_empty() {
                return;
            }
        }
    }

    /// Whether less than a page waits.
    fn has_room(&self) -> bool {
        let waiting: usize = self.parts.iter().map(Vec::len).sum();
        u32::try_from(waiting).is_ok_and(|waiting| waiting < self.limit)
    }

    /// The page is there: its events are at hand, and the next one is asked for.
    fn turn(
        &mut self,
        ahead: Ahead<P>,
        mut page: P::Page,
        context: &mut Context<'_>,
    ) -> Result<(), P::Error> {
        let Ahead { request, mut last, .. } = ahead;
        let rest = P::events(&mut page);
        last = rest.last().map(Last::of).or(last);
        self.parts.push_back(rest);
        self.next = request.turn(&page, last)?.map(|mut request| {
            *request.limit() = request.limit().saturating_mul(2).min(self.limit);
            let mut next = Ahead::ask(&self.store, request);
            // That sends it.
            next.drive(context);
            next
        });
        Ok(())
    }
}

impl<P: Paged> Ahead<P> {
    #[expect(clippy::disallowed_methods, reason = "its end is that of a page: nothing else is put in")]
    fn ask(store: &Store, request: P) -> Self {
        let (sender, parts) = mpsc::unbounded_channel();
        // Nobody wants what nobody takes any more.
        let take = Parts::new(move |events| drop(sender.send(events)));
        let asking = request.clone().ask(store.clone(), take);
        Self { request, asking, arrived: None, parts, last: None, wanted: false }
    }

    /// Goes on asking; the first time, that sends the request.
    fn drive(&mut self, context: &mut Context<'_>) {
        if self.arrived.is_none()
            && let Poll::Ready(page) = self.asking.poll_unpin(context)
        {
            self.arrived = Some(page);
        }
    }

    /// What has come of it since it was last asked. All of it came before the answer.
    fn receive(&mut self, context: &mut Context<'_>, into: &mut VecDeque<Vec<RecordedEvent>>) {
        while let Poll::Ready(Some(part)) = self.parts.poll_recv(context) {
            self.last = part.last().map(Last::of).or(self.last);
            into.push_back(part);
        }
    }

    /// The same again, behind what came of it; `None` when that was all.
    fn again(self, store: &Store) -> Option<Self> {
        let Self { request, last, .. } = self;
        let request = match last {
            None => request,
            Some(last) => request.behind(last)?,
        };
        Some(Self { wanted: true, ..Self::ask(store, request) })
    }
}

/// Nothing in it is pinned in place.
impl<P: Paged> Unpin for Pages<P> {}

impl<P: Paged> Stream for Pages<P> {
    type Item = Result<RecordedEvent, P::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pages = &mut *self;
        loop {
            if let Some(event) = pages.events.next() {
                return Poll::Ready(Some(Ok(event)));
            }
            pages.look(context);
            match pages.parts.pop_front() {
                Some(part) => pages.events = part.into_iter(),
                None if pages.next.is_some() => return Poll::Pending,
                None => return Poll::Ready(pages.broken.take().map(Err)),
            }
        }
    }
}

impl Last {
    fn of(event: &RecordedEvent) -> Self {
        Self { position: event.position, version: event.version_read() }
    }
}

impl Paged for ReadStream {
    type Page = StreamPage;
    type Error = ReadError;

    fn ask(self, store: Store, parts: Parts) -> BoxFuture<'static, Result<StreamPage, ReadError>> {
        async move { store.read(ReadInParts { page: self, parts }).await }.boxed()
    }

    fn events(page: &mut StreamPage) -> Vec<RecordedEvent> {
        std::mem::take(&mut page.events)
    }

    fn turn(self, page: &StreamPage, last: Option<Last>) -> Result<Option<Self>, ReadError> {
        let goes_on = |last: &Last| match self.direction {
            Direction::Forward => last.version < page.version,
            Direction::Backward => true,
        };
        let before = self.clone();
        let next = last.filter(goes_on).and_then(|last| self.behind(last));
        let from = next.as_ref().and_then(|next| next.from);
        check_progress(before.direction, before.from.map(Version::get), from.map(Version::get))?;
        Ok(next)
    }

    fn behind(self, last: Last) -> Option<Self> {
        let from = behind(self.direction, last.version.get()).map(Version::new)?;
        Some(Self { from: Some(from), ..self })
    }

    fn limit(&mut self) -> &mut u32 {
        &mut self.limit
    }
}

impl Paged for ReadAll {
    type Page = AllPage;
    type Error = StoreError;

    fn ask(self, store: Store, parts: Parts) -> BoxFuture<'static, Result<AllPage, StoreError>> {
        async move { store.read(ReadInParts { page: self, parts }).await }.boxed()
    }

    fn events(page: &mut AllPage) -> Vec<RecordedEvent> {
        std::mem::take(&mut page.events)
    }

    fn turn(self, page: &AllPage, _: Option<Last>) -> Result<Option<Self>, StoreError> {
        let scanned_to = page.scanned_to;
        let from = match self.direction {
            Direction::Forward if scanned_to >= page.head => None,
            direction => behind(direction, scanned_to.get()).map(Position::new),
        };
        check_progress(self.direction, self.from.map(Position::get), from.map(Position::get))?;
        Ok(from.map(|from| Self { from: Some(from), ..self }))
    }

    fn behind(self, last: Last) -> Option<Self> {
        let from = behind(self.direction, last.position.get()).map(Position::new)?;
        Some(Self { from: Some(from), ..self })
    }

    fn limit(&mut self) -> &mut u32 {
        &mut self.limit
    }
}

/// The place that follows one in a direction, if there can be one.
const fn behind(direction: Direction, place: u64) -> Option<u64> {
    match direction {
        Direction::Forward => place.checked_add(1),
        Direction::Backward if place > 1 => Some(place - 1),
        Direction::Backward => None,
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
