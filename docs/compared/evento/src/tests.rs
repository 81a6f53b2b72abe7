//! The rules, the read model alone, and the whole of it, each over a database of its own in a file.

use sqlx::SqlitePool;

use super::{
    items::items,
    messages::{Item, ItemEvent, PutIn, TakenOut},
    *,
};

fn put_in() -> PutIn {
    PutIn { name: "Lamp".to_owned() }
}

fn lamp() -> [(String, String); 1] {
    [("1".to_owned(), "Lamp".to_owned())]
}

fn rejection(result: anyhow::Result<()>) -> Rejection {
    result.unwrap_err().downcast().unwrap()
}

async fn happened(store: &Sqlite) -> Vec<ItemEvent> {
    evento::read::<Item>("1").decode(store).await.unwrap()
}

async fn until_listed(pool: &SqlitePool, expected: &[(String, String)]) {
    while list(pool).await.unwrap() != expected {
        tokio::task::yield_now().await;
    }
}

#[sqlx::test]
async fn an_item_is_put_in_once(pool: SqlitePool) {
    let shelf = Command(store(&pool).await.unwrap());
    assert_eq!(rejection(shelf.put("1", " ").await), Rejection::NameIsBlank);
    shelf.put("1", "Lamp").await.unwrap();
    assert_eq!(rejection(shelf.put("1", "Lamp").await), Rejection::IsIn);
    assert_eq!(happened(&shelf.0).await, [ItemEvent::PutIn(put_in())]);
}

#[sqlx::test]
async fn what_is_in_can_be_taken_out(pool: SqlitePool) {
    let shelf = Command(store(&pool).await.unwrap());
    assert_eq!(rejection(shelf.take("1").await), Rejection::IsNotIn);
    shelf.put("1", "Lamp").await.unwrap();
    shelf.take("1").await.unwrap();
    assert_eq!(happened(&shelf.0).await, [ItemEvent::PutIn(put_in()), ItemEvent::TakenOut(TakenOut)]);
}

#[sqlx::test]
async fn a_row_is_kept_while_its_item_is_in(pool: SqlitePool) {
    let store = store(&pool).await.unwrap();
    evento::append("1").event(&put_in()).commit(&store).await.unwrap();
    items(&pool).run_once(&store).await.unwrap();
    assert_eq!(list(&pool).await.unwrap(), lamp());
    evento::append("1").original_version(1).event(&TakenOut).commit(&store).await.unwrap();
    items(&pool).run_once(&store).await.unwrap();
    assert_eq!(list(&pool).await.unwrap(), []);
}

#[sqlx::test]
async fn those_that_are_in_are_listed(pool: SqlitePool) {
    let (shelf, items) = start(&pool).await.unwrap();
    shelf.put("1", "Lamp").await.unwrap();
    until_listed(&pool, &lamp()).await;
    shelf.take("1").await.unwrap();
    until_listed(&pool, &[]).await;
    items.shutdown().await.unwrap();
}
