//! Subscriptions beside what all adapters promise of them.

use super::support::{adapter, client, schema, written_by};

/// EH-12: who only asks how many resets were told, or tells it once more, writes nothing.
#[tokio::test]
async fn only_news_of_resets_is_written() {
    let schema = schema();
    let (adapter, client) = (adapter(&schema).await, client(schema.url()).await);
    let table = format!("{}.subscriptions", schema.name());
    crate::conformance::resets::only_news_is_written(&*adapter, async || written_by(&client, &table).await)
        .await;
}
