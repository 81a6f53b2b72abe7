//! What goes wrong with the store when the test says so.

use std::{sync::Arc, time::Duration};

use umbel_bus::edge;
use umbel_core::{CommandId, store::StoreError};
use umbel_host::{DispatchError, DispatchOptions, Outcome};
use umbel_persistence::memory::Memory;
use umbel_testing::{TestUmbrella, run};

use crate::{
    borrow,
    library::{Borrowed, LibraryEvent, Loans, Reminded, app},
};

/// How often what happened is in the log: borrowed, and reminded of.
async fn stored(umbrella: &TestUmbrella) -> (usize, usize) {
    let events = umbrella.events::<LibraryEvent>().await;
    let borrowed = events.iter().filter(|event| matches!(event, LibraryEvent::Borrowed(_))).count();
    (borrowed, events.len() - borrowed)
}

/// Appends fail as often as told, nothing of them is stored, and the command is carried out when it is sent again.
#[test]
fn appends_fail_as_often_as_told() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        umbrella.fail_appends(2);
        for _ in 0..2 {
            let failed = umbrella.bus().dispatch(borrow("rust")).await.unwrap_err();
            assert!(
                matches!(&failed, DispatchError::Unavailable { reason, .. } if reason.contains("the test lets")),
                "{failed:?}"
            );
            assert_eq!(umbrella.settled().await.get(), 0);
        }
        umbrella.dispatch(borrow("rust")).await;

        umbrella.fail_appends(3);
        umbrella.insist(borrow("elixir")).await;
        umbrella.fail_appends(9);
        umbrella.fail_appends(0);
        umbrella.dispatch(borrow("go")).await;
        umbrella.settled().await;
        assert_eq!(stored(&umbrella).await, (3, 3));
        umbrella.stop().await;
    });
}

/// An append that a handler of events asked for fails, the handler tries again, and what it does is done once.
#[test]
fn a_handler_whose_appends_fail_tries_again() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        umbrella.fail_appends_after(1, 3);
        umbrella.dispatch(borrow("rust")).await;
        umbrella.wait_for_event::<Reminded>(|event| event.book == "rust").await;
        umbrella.settled().await;
        // All three have failed: the next append would be among them.
        umbrella.dispatch(borrow("elixir")).await;
        umbrella.settled().await;
        assert_eq!(stored(&umbrella).await, (2, 2));
        umbrella.stop().await;
    });
}

/// UX-02: an append whose answer is lost is stored, who asked for it knows that he does not know, and the same id finds it: it is stored
/// once, whoever asked.
#[test]
fn lost_answers_are_found_again() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        let id = CommandId(edge::fresh_id());
        let dispatch = || {
            let options = DispatchOptions::default().command_id(id);
            umbrella.bus().dispatch_with(borrow("rust"), options)
        };
        umbrella.lose_answers(1);
        let unknown = DispatchError::Timeout { command: "library.borrow", outcome: Outcome::Unknown };
        assert_eq!(dispatch().await.unwrap_err(), unknown);
        umbrella.wait_for_event::<Borrowed>(|event| event.book == "rust").await;
        let found = dispatch().await.unwrap();
        assert!(found.repeated);
        umbrella.settled().await;
        assert_eq!(stored(&umbrella).await, (1, 1));

        // The answers to the client, and to the handler.
        for (number, book) in (1..).zip(["elixir", "go", "zig"]) {
            umbrella.lose_answers(number);
            umbrella.insist(borrow(book)).await;
            umbrella.wait_for_event::<Reminded>(|event| event.book == book).await;
            umbrella.settled().await;
        }
        assert_eq!(stored(&umbrella).await, (4, 4));
        assert_eq!(umbrella.ask(Loans { by: "ada".into() }).await, Some(4));
        umbrella.stop().await;
    });
}

/// While the store is out nothing is stored or answered, and who follows it catches up when it is back.
#[test]
fn handlers_catch_up_after_an_outage() {
    run(async {
        let store = Arc::new(Memory::new());
        let umbrella = TestUmbrella::builder().over(Arc::clone(&store) as _).app(app()).start().await;
        let elsewhere = TestUmbrella::builder().over(store).start().await;
        umbrella.dispatch(borrow("rust")).await;
        umbrella.settled().await;

        let outage = umbrella.outage();
        for number in 0..20 {
            let event = Borrowed { book: format!("book {number}"), by: "ada".into() };
            elsewhere.append(&format!("book-{number}"), &event).await;
            let failed = umbrella.bus().dispatch(borrow("elixir")).await.unwrap_err();
            assert!(matches!(failed, DispatchError::Unavailable { .. }), "{failed:?}");
        }
        assert!(umbrella.bus().ask(Loans { by: "ada".into() }).await.is_err());
        let refused = umbrella.store().status().await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert_eq!(stored(&elsewhere).await, (21, 1), "nobody is reminded");

        let (another, options) = (umbrella.outage(), DispatchOptions::default());
        outage.end();
        let failed = umbrella.bus().dispatch_with(borrow("elixir"), options).await;
        assert!(failed.is_err(), "two have it out, and one of them goes on");
        drop(another);
        umbrella.insist(borrow("elixir")).await;
        umbrella.settled().await;
        assert_eq!(stored(&umbrella).await, (22, 22));
        assert_eq!(umbrella.ask(Loans { by: "ada".into() }).await, Some(22));
        umbrella.stop().await;
        elsewhere.stop().await;
    });
}

/// What is in hand when the store goes out is done when it is back, and once; a client that insists is answered then.
#[test]
fn what_is_in_hand_outlives_an_outage() {
    run(async {
        // An outage is long, as the pauses between attempts are short.
        let builder = TestUmbrella::builder().host(|host| host.subscriptions.retries_max = u32::MAX);
        let umbrella = builder.app(app()).start().await;
        for number in 0..10 {
            umbrella.bus().dispatch(borrow(&format!("book {number}"))).await.unwrap();
            let outage = umbrella.outage();
            let back = async {
                tokio::time::sleep(Duration::from_millis(number)).await;
                outage.end();
            };
            tokio::join!(umbrella.insist(borrow(&format!("other {number}"))), back);
        }
        umbrella.settled().await;
        assert_eq!(stored(&umbrella).await, (20, 20));
        let umbrella = umbrella.restart().await;
        umbrella.fail_appends(1);
        umbrella.insist(borrow("rust")).await;
        umbrella.stop().await;
    });
}
