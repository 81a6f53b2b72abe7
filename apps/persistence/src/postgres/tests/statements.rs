//! Prepared statements: a connection remembers some, not all.

use umbel_core::document::{DocumentQuery, Filter, IndexKey, Test};

use super::support::schema;
use crate::{
    Log, ReadModels,
    postgres::{Postgres, PostgresOptions},
};

/// However many shapes of queries there are, and however many stores share a connection, the server keeps no more
/// statements for it than it was told to.
#[tokio::test]
async fn prepared_statements_are_bounded() {
    let schema = schema();
    let options = PostgresOptions { max_connections: 1, max_statements: 8, ..PostgresOptions::default() };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    for count in 0..30 {
        let key = IndexKey::of(&serde_json::json!(1)).unwrap();
        let filter = Filter { index: "by".into(), test: Test::In(vec![key]) };
        let query = DocumentQuery {
            collection: "test.items".into(),
            filters: vec![filter; count],
            order: None,
            offset: 0,
            limit: 1,
        };
        for _ in 0..2 {
            adapter.query_documents(query.clone()).await.unwrap();
            adapter.status().await.unwrap();
        }
    }
    let ask = "SELECT count(*) FROM pg_prepared_statements";
    let kept: i64 = adapter.reader.query(ask, &[]).await.unwrap()[0].get(0);
    assert!((2..=8).contains(&kept), "{kept}");
}
