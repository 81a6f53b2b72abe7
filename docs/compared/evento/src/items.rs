//! The read model: a table of the items that are in, who keeps it, and the query.

use evento::{
    Executor,
    metadata::Event,
    subscription::{Context, SubscriptionBuilder},
};
use sqlx::SqlitePool;

use crate::messages::{PutIn, TakenOut};

const LISTED_MAX: i64 = 100;

#[evento::subscription]
async fn on_put_in<E: Executor>(context: &Context<'_, E>, event: Event<PutIn>) -> anyhow::Result<()> {
    sqlx::query("INSERT OR REPLACE INTO shelf_items (id, name) VALUES (?, ?)")
        .bind(&event.aggregate_id)
        .bind(&event.data.name)
        .execute(&context.extract::<SqlitePool>())
        .await?;
    Ok(())
}

#[evento::subscription]
async fn on_taken_out<E: Executor>(context: &Context<'_, E>, event: Event<TakenOut>) -> anyhow::Result<()> {
    sqlx::query("DELETE FROM shelf_items WHERE id = ?")
        .bind(&event.aggregate_id)
        .execute(&context.extract::<SqlitePool>())
        .await?;
    Ok(())
}

pub fn items<E: Executor>(pool: &SqlitePool) -> SubscriptionBuilder<E> {
    SubscriptionBuilder::new("shelf.items").handler(on_put_in()).handler(on_taken_out()).data(pool.clone())
}

pub async fn list(pool: &SqlitePool) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as("SELECT id, name FROM shelf_items ORDER BY name LIMIT ?")
        .bind(LISTED_MAX)
        .fetch_all(pool)
        .await
}
