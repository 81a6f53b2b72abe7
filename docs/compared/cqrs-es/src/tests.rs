//! The rules, the read model alone, and the whole of it over an event store in memory.

use cqrs_es::{EventEnvelope, Query, test::TestFramework};

use super::*;

fn put(name: &str) -> Command {
    Command::Put { name: name.into() }
}

fn put_in() -> Event {
    Event::PutIn { name: "Lamp".into() }
}

fn item() -> TestFramework<Item> {
    TestFramework::with(())
}

#[test]
fn an_item_is_put_in_once() {
    item().given_no_previous_events().when(put("Lamp")).then_expect_events(vec![put_in()]);
    item().given_no_previous_events().when(put(" ")).then_expect_error(Rejection::NameIsBlank);
    item().given(vec![put_in()]).when(put("Lamp")).then_expect_error(Rejection::IsIn);
}

#[test]
fn what_is_in_can_be_taken_out() {
    item().given(vec![put_in()]).when(Command::Take).then_expect_events(vec![Event::TakenOut]);
    item().given_no_previous_events().when(Command::Take).then_expect_error(Rejection::IsNotIn);
}

async fn project(items: &Items, payload: Event, sequence: usize) {
    let (aggregate_id, metadata) = ("1".to_string(), Default::default());
    items.dispatch("1", &[EventEnvelope { aggregate_id, sequence, payload, metadata }]).await;
}

#[tokio::test]
async fn a_row_is_kept_while_its_item_is_in() {
    let items = Items::default();
    project(&items, put_in(), 1).await;
    assert_eq!(items.list(), [("1".to_string(), "Lamp".to_string())]);
    project(&items, Event::TakenOut, 2).await;
    assert_eq!(items.list(), []);
}

#[tokio::test]
async fn those_that_are_in_are_listed() {
    let items = Items::default();
    let shelf = shelf(&items);
    shelf.execute("1", put("Lamp")).await.unwrap();
    assert_eq!(items.list(), [("1".to_string(), "Lamp".to_string())]);
    shelf.execute("1", Command::Take).await.unwrap();
    assert_eq!(items.list(), []);
}
