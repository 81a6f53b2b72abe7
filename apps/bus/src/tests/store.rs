//! What a store that does not answer means to who asked.

use actix::ResponseFuture;
use umbel_core::store::{Append, AppendError, GetStatus, StoreError};

use super::*;

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
