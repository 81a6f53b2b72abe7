//! Spans: what they say of the times of 4096 positions each.

use umbel_core::{ExpectedVersion, Timestamp, store::Append};

use super::support::{adapter, client, event, exact, schema, stream};
use crate::Log;

/// AP-09: a group that passes borders of spans leaves rows that say just when its events were recorded, in whatever
/// order that was, some of them stored before that group.
#[tokio::test]
async fn a_group_that_passes_spans_describes_them() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let part = |number: u64, expected| Append {
        recorded_at: Some(Timestamp::from_micros(i64::try_from((number * 7) % 11).unwrap())),
        ..Append::to_stream(stream("a"), expected, (0..900).map(|_| event("a")).collect())
    };
    let mut groups = vec![vec![part(0, exact(0))]];
    groups.push((1..10).map(|number| part(number, ExpectedVersion::Any)).collect());
    groups.push(vec![part(10, ExpectedVersion::Any)]);
    for group in groups {
        for outcome in adapter.append(group, Timestamp::from_micros(1)).await {
            outcome.unwrap();
        }
    }
    let wrong = "
        SELECT count(*) AS spans, count(*) FILTER (WHERE (s.min_recorded_at, s.max_recorded_at) IS DISTINCT FROM
            (SELECT ROW(min(e.recorded_at), max(e.recorded_at)) FROM {schema}.events e
             WHERE e.position BETWEEN s.first_position AND s.first_position + 4095)) AS wrong
        FROM {schema}.spans s"
        .replace("{schema}", schema.name());
    let row = client(schema.url()).await.query_one(&wrong, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>("spans"), row.get::<_, i64>("wrong")), (2, 0));
}
