//! The reader: the actor that answers everything but appends.
//!
//! It also looks every now and then whether another process has appended, and wakes those who follow the log.

use std::{future::Future, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use futures_util::future::{BoxFuture, ready};
use tokio::time::{sleep, timeout_at};
use umbel_bus::{Answered, Bus, Envelope, Gate, RouteSet};
use umbel_core::{
    Request,
    store::{
        FindCommand, GetDocuments, GetStatus, GetStreamInfo, LoadCheckpoint, QueryDocuments, ReadAll,
        ReadStream, SaveProjection, StoreError,
    },
};
use umbel_supervision::{Drain, Tether};

use crate::{adapter::Adapter, settings::StoreSettings};

/// Requests it works on at the same time for every connection there is: enough to keep the connections busy.
const IN_FLIGHT_PER_CONNECTION: usize = 16;

/// Answers reads and saves projections, many at a time.
pub(crate) struct Reader {
    adapter: Arc<dyn Adapter>,
    bus: Bus,
    settings: StoreSettings,
    gate: Gate,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

/// A request that the reader answers with its adapter.
pub(crate) trait Answer: Request {
    /// Asks the adapter. Pages hold at most `page_max` events.
    fn answer(self, adapter: &dyn Adapter, page_max: u32) -> BoxedAnswer<'_, Self>;

    /// The answer at the caller's deadline. A read has done nothing.
    fn too_late() -> StoreError {
        StoreError::Unavailable { reason: "it did not answer in time".into() }
    }
}

type BoxedAnswer<'a, R> = BoxFuture<'a, Result<<R as Request>::Answer, <R as Request>::Error>>;

impl Reader {
    pub(crate) fn new(adapter: Arc<dyn Adapter>, bus: Bus, settings: StoreSettings, tether: Tether) -> Self {
        let gate = Gate::new(settings.max_connections.max(1) * IN_FLIGHT_PER_CONNECTION);
        Self { adapter, bus, settings, gate, _tether: tether }
    }

    /// The routes of a reader at this address.
    pub(crate) fn routes(address: &actix::Addr<Self>) -> RouteSet {
        let routes = RouteSet::new("store/reader")
            .answers::<ReadStream>(address.clone().recipient())
            .answers::<ReadAll>(address.clone().recipient())
            .answers::<GetStreamInfo>(address.clone().recipient())
            .answers::<FindCommand>(address.clone().recipient())
            .answers::<GetDocuments>(address.clone().recipient())
            .answers::<QueryDocuments>(address.clone().recipient())
            .answers::<LoadCheckpoint>(address.clone().recipient())
            .answers::<SaveProjection>(address.clone().recipient())
            .answers::<GetStatus>(address.clone().recipient());
        #[cfg(feature = "faults")]
        let routes = routes.panics_at(address.clone().recipient());
        routes
    }

    /// Looks for foreign appends for as long as the actor lives. A store that does not answer is asked again.
    fn watch(&self) -> impl Future<Output = ()> + use<> {
        let (adapter, bus, every) =
            (Arc::clone(&self.adapter), self.bus.clone(), self.settings.poll_interval());
        async move {
            loop {
                if let Ok(status) = adapter.status().await {
                    bus.announce_head(status.head);
                }
                sleep(every.max(Duration::from_millis(1))).await;
            }
        }
    }
}

impl Actor for Reader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let watch = self.watch().into_actor(self);
        context.spawn(watch);
    }
}

impl<R> Handler<Envelope<R>> for Reader
where
    R: Answer,
    R::Error: From<StoreError>,
{
    type Result = ResponseFuture<Answered<R>>;

    fn handle(&mut self, envelope: Envelope<R>, context: &mut Self::Context) -> Self::Result {
        let Some(request) = envelope.open() else { return Box::pin(ready(None)) };
        let place = self.gate.enter(self, context);
        let (adapter, page_max) = (Arc::clone(&self.adapter), self.settings.page_size_max);
        Box::pin(async move {
            let answer = timeout_at(envelope.deadline(), request.answer(&*adapter, page_max)).await;
            drop(place);
            Some(answer.unwrap_or_else(|_| Err(R::too_late().into())))
        })
    }
}

impl Handler<Drain> for Reader {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.gate.drain(self, context);
    }
}

impl Answer for ReadStream {
    fn answer(mut self, adapter: &dyn Adapter, page_max: u32) -> BoxedAnswer<'_, Self> {
        self.limit = self.limit.min(page_max);
        adapter.read_stream(self)
    }
}

impl Answer for ReadAll {
    fn answer(mut self, adapter: &dyn Adapter, page_max: u32) -> BoxedAnswer<'_, Self> {
        self.limit = self.limit.min(page_max);
        adapter.read_all(self)
    }
}

impl Answer for GetStreamInfo {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.stream_info(self.stream)
    }
}

impl Answer for FindCommand {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.find_command(self.id)
    }
}

impl Answer for GetDocuments {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.get_documents(self.keys)
    }
}

impl Answer for QueryDocuments {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.query_documents(self.0)
    }
}

impl Answer for LoadCheckpoint {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.load_checkpoint(self.projection)
    }
}

impl Answer for SaveProjection {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.save_projection(self)
    }

    fn too_late() -> StoreError {
        StoreError::OutcomeUnknown { reason: "it did not answer in time".into() }
    }
}

impl Answer for GetStatus {
    fn answer(self, adapter: &dyn Adapter, _: u32) -> BoxedAnswer<'_, Self> {
        adapter.status()
    }
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([] Reader);
