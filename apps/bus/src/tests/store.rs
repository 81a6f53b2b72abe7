//! What a store that does not answer means to who asked.

use actix::ResponseFuture;
use umbel_core::{
    Position,
    document::Direction,
    store::{Append, AppendError, GetStatus, ReadAll, Selector, StoreError},
};

use super::*;
use crate::{PageBounds, tail::tests::event};

/// Opens what it gets and never answers.
struct Mute;

impl Actor for Mute {
    type Context = Context<Self>;
}

impl<R: Request> Handler<Envelope<R>> for Mute {
    type Result = ResponseFuture<Answered<R>>;

    fn handle(&mut self, envelope: Envelope<R>, _: &mut Self::Context) -> Self::Result {
        drop(envelope.open());
        Box::pin(std::future::pending())
    }
}

/// Given no answer to what the store has begun, a read changed nothing and may be repeated; of a write nobody knows.
#[test]
fn only_a_write_without_an_answer_may_have_been_stored() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let mute = Mute.start();
        let routes = RouteSet::new("store/mute")
            .answers::<GetStatus>(mute.clone().recipient())
            .answers::<Append>(mute.recipient());
        bus.register(routes).await.unwrap();
        let store = bus.store().by(within(SHORT));
        let (read, write) = futures_util::future::join(store.status(), store.append(Append::default())).await;
        assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
        assert!(matches!(write, Err(AppendError::Store(StoreError::OutcomeUnknown { .. }))), "{write:?}");
    });
}

/// What was committed a moment ago is read without the store, which is not even there; what is before it, or behind it, is not.
#[tokio::test(start_paused = true)]
async fn the_live_edge_is_read_without_the_store() {
    let bus = Bus::new(BusSettings::default());
    bus.tail().bound_pages(PageBounds { events: 10, bytes: 1000 });
    assert!(bus.tail_from_here().is_none(), "nobody follows");
    let head = bus.head();
    let moment = bus.tail_from_here().unwrap();
    bus.tail().keep(moment, [4, 5].map(event));
    bus.announce_head(Position::new(5));
    let read = |from: u64| {
        let (from, direction) = (Some(Position::new(from)), Direction::Forward);
        let (store, selector) = (bus.store(), Selector::all());
        async move { store.read_all(ReadAll { from, direction, limit: 10, selector }).await }
    };
    assert_eq!(read(4).await.unwrap().events, [4, 5].map(event));
    for elsewhere in [3, 6] {
        let asked = read(elsewhere).await;
        assert!(matches!(asked, Err(StoreError::Unavailable { .. })), "{asked:?}");
    }
    drop(head);
    assert!(bus.tail_from_here().is_none(), "nobody follows any more");
}
