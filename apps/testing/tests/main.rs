//! The kit for tests of apps, tried on a small library.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect must fail")]

mod idle;
mod library;
mod outages;
mod time;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use serde_json::json;
use umbel_testing::{TestUmbrella, run};

use library::{Borrow, Borrowed, LibraryEvent, Loans, Reminded, app};

fn borrow(book: &str) -> Borrow {
    Borrow { book: book.into(), by: "ada".into() }
}

/// What a test that fails says.
fn failure(test: impl AsyncFnOnce(TestUmbrella)) -> String {
    let test =
        || run(async { test(TestUmbrella::of(app()).await.patience(Duration::from_millis(500))).await });
    let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

/// An app runs whole: commands, projections, handlers and what these lead to, queries.
#[test]
fn an_app_runs_whole() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        let done = umbrella.dispatch(borrow("rust")).await;
        assert_eq!(umbrella.ask(Loans { by: "ada".into() }).await, Some(1), "visible at once");
        let rejection = umbrella.rejected(borrow("rust")).await;
        assert_eq!(rejection, "it is lent");
        let borrowed = umbrella.wait_for_event::<Borrowed>(|event| event.book == "rust").await;
        assert_eq!(Some(borrowed.recorded.position), done.position);
        let (borrowed, reminded) = umbrella.assert_correlated::<Borrowed, Reminded>(|_| true, |_| true).await;
        assert_eq!(reminded.recorded.metadata.causation_id, Some(borrowed.recorded.id.0));
        umbrella.assert_no_event::<Borrowed>(|event| event.book == "elixir").await;
        umbrella.stop().await;
    });
}

/// Once all is settled, what handlers caused has happened, however long the chain.
#[test]
fn settled_is_when_nothing_more_comes() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        for number in 0..20 {
            umbrella.dispatch(borrow(&format!("book {number}"))).await;
        }
        let head = umbrella.settled().await;
        assert_eq!(head.get(), 40, "each is borrowed, and reminded of");
        assert_eq!(umbrella.events::<LibraryEvent>().await.len(), 40);
        assert_eq!(umbrella.ask(Loans { by: "ada".into() }).await, Some(20));
        umbrella.passed("library.remind", 40).await;
        umbrella.stop().await;
    });
}

/// Umbrellas share nothing, start quickly, and begin again where they were.
#[test]
fn each_has_its_own_and_keeps_it() {
    run(async {
        let began = Instant::now();
        let (one, other) = (TestUmbrella::of(app()).await, TestUmbrella::of(app()).await);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        one.dispatch(borrow("rust")).await;
        let one = one.restart().await;
        assert_eq!(one.rejected(borrow("rust")).await, "it is lent");
        assert_eq!(one.ask(Loans { by: "ada".into() }).await, Some(1));
        assert_eq!(other.ask(Loans { by: "ada".into() }).await, None);
        assert!(other.events::<LibraryEvent>().await.is_empty());
        one.stop().await;
        other.stop().await;
    });
}

/// UX-18: events of the past and of others reach an app as those of today do.
#[test]
fn events_of_the_past_and_of_others() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        umbrella.append_old("book-old", "library.lent/1", json!({ "book": "old", "to": "ada" })).await;
        umbrella.append("book-new", &Borrowed { book: "new".into(), by: "ada".into() }).await;
        umbrella.wait_for_event::<Borrowed>(|event| event.book == "old" && event.by == "ada").await;
        umbrella.wait_for_event::<Reminded>(|event| event.book == "old").await;
        umbrella.settled().await;
        assert_eq!(umbrella.ask(Loans { by: "ada".into() }).await, Some(2));
        assert_eq!(umbrella.rejected(borrow("old")).await, "it is lent");
        umbrella.stop().await;
    });
}

/// Whatever crashes, what was acknowledged is there, and what was asked for happens once.
#[test]
fn components_crash_on_demand() {
    run(async {
        let umbrella = TestUmbrella::of(app()).await;
        let components = umbrella.components();
        for wanted in ["library/book", "library/library.loans", "store/writer"] {
            assert!(components.iter().any(|one| one == wanted), "{components:?}");
        }
        for (number, component) in components.iter().enumerate() {
            umbrella.crash(component).await;
            umbrella.dispatch(borrow(&format!("book {number}"))).await;
        }
        umbrella.settled().await;
        let loans = umbrella.ask(Loans { by: "ada".into() }).await;
        assert_eq!(loans.map(usize::try_from), Some(Ok(components.len())));
        assert_eq!(umbrella.events::<LibraryEvent>().await.len(), 2 * components.len());
        umbrella.stop().await;
    });
}

/// What does not hold fails the test, and says what there is instead.
#[test]
fn what_does_not_hold_fails() {
    let told = failure(async |umbrella| drop(umbrella.rejected(borrow("rust")).await));
    assert!(told.contains("main.rs") && told.contains("is accepted"), "{told}");
    let told = failure(async |umbrella| {
        umbrella.dispatch(borrow("rust")).await;
        umbrella.dispatch(borrow("rust")).await;
    });
    assert!(told.contains("library.borrow is not accepted: \"it is lent\""), "{told}");
    let told = failure(async |umbrella| {
        umbrella.dispatch(borrow("rust")).await;
        umbrella.wait_for_event::<Borrowed>(|event| event.book == "elixir").await;
    });
    assert!(told.contains("no such library.borrowed") && told.contains("\"rust\""), "{told}");
    let told = failure(async |umbrella| {
        umbrella.dispatch(borrow("rust")).await;
        umbrella.assert_no_event::<Borrowed>(|_| true).await;
    });
    assert!(told.contains("there is Borrowed"), "{told}");
    let told = failure(async |umbrella| {
        umbrella.dispatch(borrow("rust")).await;
        umbrella.append("book-other", &Reminded { book: "other".into() }).await;
        umbrella.assert_correlated::<Borrowed, Reminded>(|_| true, |event| event.book == "other").await;
    });
    assert!(told.contains("not correlated"), "{told}");
    let told = failure(async |umbrella| {
        umbrella.append_old("book-bad", "library.borrowed/1", json!({ "no": "book" })).await;
        umbrella.settled().await;
    });
    assert!(told.contains("library.loans is at 0 of 1, held up by"), "{told}");
    let told = failure(async |umbrella| umbrella.passed("library.loans", 9).await);
    assert!(told.contains("library.loans is at 0"), "{told}");
    let told = failure(async |umbrella| umbrella.crash("nobody").await);
    assert!(told.contains("library/book"), "{told}");
}
