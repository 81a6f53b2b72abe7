//! How each request but the append is answered: bounded and permitted here, carried out by the adapter.

macro_rules! answers {
    ($($request:ty: |$asked:ident, $desk:ident| $answer:expr $(, too_late: $late:path)?;)+) => {
        $(impl Answer for $request {
            fn answer(self, $desk: &Desk) -> BoxedAnswer<'_, Self> {
                let $asked = self;
                $answer
            }

            $(fn too_late() -> StoreError {
                $late()
            })?
        })+
    };
}

mod subscriptions;

use std::sync::Arc;

use futures_util::future::{BoxFuture, join, ready};
use tokio::sync::mpsc;
use umbel_bus::{Bus, edge};
use umbel_core::{
    Request, TagQuery,
    store::{
        Act, ClaimLive, ClearOutbox, DeleteSnapshot, FindCommand, FindEvent, FindWork, GetDocuments,
        GetStatus, GetStreamInfo, KeepNotices, LinkEvents, ListClaims, ListNotices, ListProjections,
        ListQueues, ListSnapshots, ListStreams, LoadCheckpoint, LoadDocuments, LoadSnapshot, OpenProjection,
        OpenTables, Parts, Perform, PerformError, QueryDocuments, QueryTables, ReadAll, ReadDue, ReadInParts,
        ReadOutbox, ReadStream, RemoveRetired, SaveProjection, SaveSnapshot, SaveTables, Selector,
        StoreError, SweepNotices, SwitchProjection, VerifyStore,
    },
    subscription::Change,
};

use crate::{adapter::Adapter, settings::StoreSettings, vault::Vault};

/// What an answer needs.
pub(crate) struct Desk {
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) bus: Bus,
    pub(crate) settings: StoreSettings,
}

/// A request that the store answers with its adapter.
pub(crate) trait Answer: Request {
    /// Asks the adapter.
    fn answer(self, desk: &Desk) -> BoxedAnswer<'_, Self>;

    /// The answer at the caller's deadline. A read has done nothing.
    fn too_late() -> StoreError {
        StoreError::Unavailable { reason: "it did not answer in time".into() }
    }
}

/// The adapter's answer, to be awaited.
pub(crate) type BoxedAnswer<'a, R> = BoxFuture<'a, Result<<R as Request>::Answer, <R as Request>::Error>>;

/// What a write that was begun may have led to.
fn unknown() -> StoreError {
    StoreError::OutcomeUnknown { reason: "it did not answer in time".into() }
}

impl Desk {
    pub(crate) fn new(vault: Arc<Vault>, bus: Bus, settings: StoreSettings) -> Self {
        Self { adapter: Arc::clone(vault.adapter()), vault, bus, settings }
    }

    fn page(&self, limit: u32) -> u32 {
        limit.min(self.settings.page_size_max)
    }

    /// Reads a page in parts, and opens each. That may take a connection, and the page has one: so neither waits for the other.
    #[expect(clippy::disallowed_methods, reason = "its end is that of a page: nothing else is put in")]
    async fn in_parts<'a, P, E: From<StoreError>>(
        &self,
        parts: Parts,
        read: impl FnOnce(Parts) -> BoxFuture<'a, Result<P, E>>,
    ) -> Result<P, E> {
        let (sender, mut sealed) = mpsc::unbounded_channel();
        let reading = read(Parts::new(move |events| drop(sender.send(events))));
        let opening = async {
            while let Some(mut events) = sealed.recv().await {
                self.vault.open(&mut events).await?;
                parts.hand_over(events);
            }
            Ok(())
        };
        let (page, opened): (_, Result<(), StoreError>) = join(reading, opening).await;
        opened?;
        page
    }
}

/// Whether it can be asked for.
fn check(selector: &Selector) -> Result<(), StoreError> {
    match selector.tags.as_ref().map(TagQuery::check) {
        Some(Err(wrong)) => Err(StoreError::Failed { reason: wrong.to_string() }),
        _ => Ok(()),
    }
}

answers! {
    ReadStream: |asked, desk| Box::pin(async move {
        let mut page = desk.adapter.read_stream(Self { limit: desk.page(asked.limit), ..asked }).await?;
        desk.vault.open(&mut page.events).await?;
        Ok(page)
    });
    ReadAll: |asked, desk| Box::pin(async move {
        check(&asked.selector)?;
        let mut page = desk.adapter.read_all(Self { limit: desk.page(asked.limit), ..asked }).await?;
        desk.vault.open(&mut page.events).await?;
        Ok(page)
    });
    ReadInParts<ReadStream>: |asked, desk| Box::pin(async move {
        let Self { page, parts } = asked;
        let page = ReadStream { limit: desk.page(page.limit), ..page };
        let mut page = desk.in_parts(parts, |parts| desk.adapter.read_stream_in_parts(page, parts)).await?;
        desk.vault.open(&mut page.events).await?;
        Ok(page)
    });
    ReadInParts<ReadAll>: |asked, desk| Box::pin(async move {
        let Self { page, parts } = asked;
        check(&page.selector)?;
        let page = ReadAll { limit: desk.page(page.limit), ..page };
        let mut page = desk.in_parts(parts, |parts| desk.adapter.read_all_in_parts(page, parts)).await?;
        desk.vault.open(&mut page.events).await?;
        Ok(page)
    });
    FindEvent: |asked, desk| Box::pin(async move {
        let mut event = desk.adapter.find_event(asked.id).await?;
        desk.vault.open(&mut event).await?;
        Ok(event)
    });
    GetStreamInfo: |asked, desk| desk.adapter.stream_info(asked.stream);
    ListStreams: |asked, desk| desk.adapter.list_streams(Self { limit: desk.page(asked.limit), ..asked });
    ListClaims: |asked, desk| desk.adapter.list_claims(Self { limit: desk.page(asked.limit), ..asked });
    FindCommand: |asked, desk| desk.adapter.find_command(asked.id);
    GetDocuments: |asked, desk| Box::pin(desk.vault.get_documents(asked.keys));
    QueryDocuments: |asked, desk| Box::pin(async move {
        let mut page = desk.adapter.query_documents(asked.0.clone()).await?;
        desk.vault.open_page(&asked.0, &mut page).await?;
        Ok(page)
    });
    LoadCheckpoint: |asked, desk| desk.adapter.load_checkpoint(asked.projection);
    SaveProjection: |asked, desk| desk.adapter.save_projection(asked), too_late: unknown;
    LoadDocuments: |asked, desk| desk.adapter.load_documents(asked);
    OpenProjection: |asked, desk| desk.adapter.open_projection(asked), too_late: unknown;
    OpenTables: |asked, desk| desk.adapter.open_tables(asked), too_late: unknown;
    SaveTables: |asked, desk| desk.adapter.save_tables(asked), too_late: unknown;
    QueryTables: |asked, desk| desk.adapter.query_tables(asked);
    ListProjections: |asked, desk| desk.adapter.list_projections(asked);
    SwitchProjection: |asked, desk| desk.adapter.switch_projection(asked), too_late: unknown;
    RemoveRetired: |asked, desk| desk.adapter.remove_retired(asked), too_late: unknown;
    ClaimLive: |asked, desk| desk.adapter.claim_live(asked), too_late: unknown;
    LinkEvents: |asked, desk| desk.adapter.link(asked, edge::now()), too_late: unknown;
    VerifyStore: |_asked, desk| desk.adapter.verify();
    LoadSnapshot: |asked, desk| Box::pin(desk.vault.load_snapshot(asked.stream));
    SaveSnapshot: |asked, desk| Box::pin(desk.vault.save_snapshot(asked.0)), too_late: unknown;
    DeleteSnapshot: |asked, desk| desk.adapter.delete_snapshot(asked.stream), too_late: unknown;
    ListSnapshots: |asked, desk| Box::pin(async move {
        desk.vault.list_snapshots(Self { limit: desk.page(asked.limit), ..asked }).await
    });
    ReadOutbox: |asked, desk| Box::pin(async move {
        let mut waiting = desk.adapter.read_outbox(Self { limit: desk.page(asked.limit), ..asked }).await?;
        desk.vault.open_work(&mut waiting).await?;
        Ok(waiting)
    });
    ReadDue: |asked, desk| Box::pin(async move {
        let mut page = desk.adapter.read_due(Self { limit: desk.page(asked.limit), ..asked }).await?;
        desk.vault.open_work(&mut page.entries).await?;
        Ok(page)
    });
    FindWork: |asked, desk| Box::pin(async move {
        let mut waiting = desk.adapter.find_work(asked).await?;
        desk.vault.open_work(&mut waiting).await?;
        Ok(waiting)
    });
    ListQueues: |asked, desk| desk.adapter.list_queues(Self { limit: desk.page(asked.limit), ..asked });
    ClearOutbox: |asked, desk| desk.adapter.clear_outbox(asked), too_late: unknown;
    KeepNotices: |asked, desk| desk.adapter.keep_notices(asked), too_late: unknown;
    ListNotices: |asked, desk| desk.adapter.list_notices(Self { limit: desk.page(asked.limit), ..asked });
    SweepNotices: |asked, desk| desk.adapter.sweep_notices(asked), too_late: unknown;
    GetStatus: |_asked, desk| desk.adapter.status();
}

impl Answer for Perform {
    fn answer(self, desk: &Desk) -> BoxedAnswer<'_, Self> {
        let refusal = match self.act.stream() {
            Some(stream) if stream.is_system() => Some(PerformError::Reserved(stream.clone())),
            _ if self.act.is_hard() && !desk.settings.allow_hard_removal => Some(PerformError::NotAllowed),
            _ => None,
        };
        let act = refusal.map_or_else(|| desk.within_bounds(self.act), Err);
        match act {
            Err(refusal) => Box::pin(ready(Err(refusal))),
            Ok(act) => Box::pin(async move {
                let removes = act.is_hard() || matches!(act, Act::ForgetSubject { .. });
                // Until it is answered, or nobody waits for it any more.
                let _removing = removes.then(|| desk.bus.tail().removing());
                let change = Change::by_act(&act);
                let performed = desk.vault.perform(Self { act, ..self }, edge::now()).await?;
                desk.bus.announce_head(performed.position);
                desk.changed(change);
                Ok(performed)
            }),
        }
    }

    fn too_late() -> StoreError {
        unknown()
    }
}
