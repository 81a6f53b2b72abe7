//! Queries by tags are led by the rarest one of an item.

use umbel_core::{
    Position, TagQuery, Tags,
    document::Direction,
    store::{ReadAll, Selector},
};

use super::support::{adapter, client, schema};
use crate::Log;

/// More than a page looks at for one item.
const EVENTS: u64 = 12_000;

const FILL: &str = r"
    INSERT INTO {schema}.kinds VALUES (1, 'a', 'test.happened', 1);
    INSERT INTO {schema}.streams (stream_id, name, created_at) VALUES (1, 'a-1', now());
    INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id, tags, data)
    SELECT n, 1, n, now(), 1, gen_random_uuid(),
        CASE n % 4000 WHEN 0 THEN ARRAY['course:1', 'student:1'] ELSE ARRAY['course:1'] END, '{}'
    FROM generate_series(1, 12000) n;
    INSERT INTO {schema}.event_tags SELECT position, kind_id, unnest(tags) FROM {schema}.events;
    UPDATE {schema}.log SET position = 12000, last_stream = 1;
    SELECT {schema}.close_spans(0, 12000);
";

/// Given an item of a tag that all events have, which comes first by name, and one that few have, when its events are read, then one
/// page finds them all and has come to the log's end: the common tag alone would end it before.
#[tokio::test]
async fn a_page_goes_by_the_rarest_tag() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let client = client(schema.url()).await;
    client.batch_execute(&FILL.replace("{schema}", schema.name())).await.unwrap();
    let query = TagQuery::tagged(Tags::of("course", 1).and("student", 1));
    let selector = Selector { tags: Some(query), ..Selector::all() };
    for (direction, end) in [(Direction::Forward, EVENTS), (Direction::Backward, 1)] {
        let request = ReadAll { from: None, direction, limit: 100, selector: selector.clone() };
        let page = adapter.read_all(request).await.unwrap();
        let mut found: Vec<_> = page.events.iter().map(|event| event.position.get()).collect();
        found.sort_unstable();
        assert_eq!(found, [4000, 8000, 12000], "{direction:?}");
        assert_eq!(page.scanned_to, Position::new(end), "{direction:?}");
    }
    let sql = format!(r"SELECT {}.rarest_first($1, $2, $3)", schema.name());
    for (tags, first, led) in [
        ("course:1\nstudent:1", 1_i64, "student:1\ncourse:1"),
        ("course:1\nstudent:1\nnone:1", 1, "none:1\nstudent:1\ncourse:1"),
        ("student:1\ncourse:1", 12_000, "student:1\ncourse:1"),
        ("course:1", 1, "course:1"),
    ] {
        let found: String = client.query_one(&sql, &[&tags, &first, &12_000_i64]).await.unwrap().get(0);
        assert_eq!(found, led, "{tags} from {first}");
    }
}
