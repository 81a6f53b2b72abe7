//! The reader: the actor that answers everything but appends.
//!
//! While it lives it also watches for what other processes append, and wakes those who follow the log.

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture,
};
use futures_util::future::ready;
use tokio::time::timeout_at;
use umbel_bus::{Answered, Bus, Envelope, Gate, RouteSet};
use umbel_core::store::{
    ClaimLive, ClearOutbox, CountLetters, DeleteSnapshot, FindCommand, FindEvent, FindWork, GetDocuments,
    GetStatus, GetStreamInfo, KeepLeases, KeepNotices, LinkEvents, ListClaims, ListLetters, ListNotices,
    ListProjections, ListQueues, ListSnapshots, ListStreams, ListSubscriptions, LoadCheckpoint,
    LoadDocuments, LoadSnapshot, NoteBegun, NoteResetsTold, OpenProjection, OpenSubscription, OpenTables,
    ParkLetters, Perform, QueryDocuments, QueryTables, ReadAll, ReadDue, ReadInParts, ReadOutbox,
    ReadParkedKeys, ReadStream, RemoveRetired, SaveCheckpoints, SaveProjection, SaveSnapshot, SaveTables,
    SettleLetters, StoreError, SweepNotices, SwitchProjection, TakeLetters, VerifyStore,
};
use umbel_supervision::{Drain, Tether};

use crate::{
    answer::{Answer, Desk},
    settings::StoreSettings,
    vault::Vault,
    watcher::watch,
    went_back::WentBack,
};

/// Requests it works on at the same time for every connection there is: enough to keep the connections busy.
const IN_FLIGHT_PER_CONNECTION: usize = 16;

/// Answers reads and saves projections, many at a time.
pub(crate) struct Reader {
    desk: Arc<Desk>,
    gate: Gate,
    went_back: Arc<WentBack>,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

impl Reader {
    pub(crate) fn new(
        vault: Arc<Vault>,
        bus: Bus,
        settings: StoreSettings,
        went_back: Arc<WentBack>,
        tether: Tether,
    ) -> Self {
        let gate = Gate::new(settings.max_connections.max(1) * IN_FLIGHT_PER_CONNECTION);
        Self { desk: Arc::new(Desk::new(vault, bus, settings)), gate, went_back, _tether: tether }
    }

    /// The routes of a reader at this address.
    pub(crate) fn routes(address: &actix::Addr<Self>) -> RouteSet {
        let routes = RouteSet::new("store/reader")
            .answers::<ReadStream>(address.clone().recipient())
            .answers::<ReadAll>(address.clone().recipient())
            .answers::<ReadInParts<ReadStream>>(address.clone().recipient())
            .answers::<ReadInParts<ReadAll>>(address.clone().recipient())
            .answers::<FindEvent>(address.clone().recipient())
            .answers::<GetStreamInfo>(address.clone().recipient())
            .answers::<ListStreams>(address.clone().recipient())
            .answers::<ListClaims>(address.clone().recipient())
            .answers::<FindCommand>(address.clone().recipient())
            .answers::<GetDocuments>(address.clone().recipient())
            .answers::<QueryDocuments>(address.clone().recipient())
            .answers::<LoadCheckpoint>(address.clone().recipient())
            .answers::<SaveProjection>(address.clone().recipient())
            .answers::<LoadDocuments>(address.clone().recipient())
            .answers::<OpenProjection>(address.clone().recipient())
            .answers::<OpenTables>(address.clone().recipient())
            .answers::<SaveTables>(address.clone().recipient())
            .answers::<QueryTables>(address.clone().recipient())
            .answers::<ListProjections>(address.clone().recipient())
            .answers::<SwitchProjection>(address.clone().recipient())
            .answers::<RemoveRetired>(address.clone().recipient())
            .answers::<ClaimLive>(address.clone().recipient())
            .answers::<LinkEvents>(address.clone().recipient())
            .answers::<Perform>(address.clone().recipient())
            .answers::<VerifyStore>(address.clone().recipient())
            .answers::<LoadSnapshot>(address.clone().recipient())
            .answers::<SaveSnapshot>(address.clone().recipient())
            .answers::<DeleteSnapshot>(address.clone().recipient())
            .answers::<ListSnapshots>(address.clone().recipient())
            .answers::<ReadOutbox>(address.clone().recipient())
            .answers::<ReadDue>(address.clone().recipient())
            .answers::<ListQueues>(address.clone().recipient())
            .answers::<FindWork>(address.clone().recipient())
            .answers::<ClearOutbox>(address.clone().recipient())
            .answers::<KeepNotices>(address.clone().recipient())
            .answers::<ListNotices>(address.clone().recipient())
            .answers::<SweepNotices>(address.clone().recipient())
            .answers::<OpenSubscription>(address.clone().recipient())
            .answers::<KeepLeases>(address.clone().recipient())
            .answers::<SaveCheckpoints>(address.clone().recipient())
            .answers::<NoteBegun>(address.clone().recipient())
            .answers::<NoteResetsTold>(address.clone().recipient())
            .answers::<ListSubscriptions>(address.clone().recipient())
            .answers::<ParkLetters>(address.clone().recipient())
            .answers::<ReadParkedKeys>(address.clone().recipient())
            .answers::<TakeLetters>(address.clone().recipient())
            .answers::<SettleLetters>(address.clone().recipient())
            .answers::<ListLetters>(address.clone().recipient())
            .answers::<CountLetters>(address.clone().recipient())
            .answers::<GetStatus>(address.clone().recipient());
        #[cfg(feature = "faults")]
        let routes = routes.panics_at(address.clone().recipient());
        routes
    }
}

impl Actor for Reader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let (adapter, every) = (Arc::clone(&self.desk.adapter), self.desk.settings.poll_interval());
        let watch = watch(adapter, self.desk.bus.clone(), every, Arc::clone(&self.went_back));
        // Nobody is to read, or to save, on what is no more.
        context.spawn(watch.into_actor(self).map(|(), _, context: &mut Context<Self>| context.stop()));
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
        let desk = Arc::clone(&self.desk);
        Box::pin(async move {
            let answer = timeout_at(envelope.deadline(), request.answer(&desk)).await;
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

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([] Reader);
