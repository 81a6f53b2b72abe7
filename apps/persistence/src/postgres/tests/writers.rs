//! Several writers on one server: positions without gaps, seen in order.

use std::sync::Arc;

use umbel_core::{
    CommandId, ExpectedVersion, Json, Position, Timestamp, Version,
    document::Direction,
    store::{Append, AppendError, ClaimName, Claims, CommandRecord, ReadAll, Selector},
};
use umbel_testkit::conformance::{Item, items};
use uuid::Uuid;

use super::support::{
    adapter, all_from, append, assert_gapless, client, event, exact, schema, stream, to, whole_log,
};
use crate::{Log, postgres::Postgres};

/// UX-01: within one group, one append with a wrong expected version fails alone.
#[tokio::test]
async fn a_refused_append_leaves_its_neighbours_alone() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("s-7", ExpectedVersion::Any)).await.unwrap();
    let group = (0..64).map(|number| to(&format!("s-{number}"), ExpectedVersion::NoStream)).collect();
    let outcomes = adapter.append(group, Timestamp::from_micros(5)).await;
    for (outcome, number) in outcomes.iter().zip(0..) {
        match outcome {
            Err(AppendError::StreamExists { actual, .. }) => {
                assert_eq!((number, *actual), (7, Version::new(1)));
            }
            outcome => assert!(outcome.is_ok() && number != 7, "{number}: {outcome:?}"),
        }
    }
    let events = whole_log(&adapter).await;
    assert_eq!(events.len(), 64);
    assert_gapless(&events);
}

/// What one adapter remembers of a stream is not believed when another one wrote behind its back: no guess that
/// turns out wrong is ever the answer.
#[tokio::test]
async fn wrong_guesses_settle_right() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    append(&one, to("a", ExpectedVersion::NoStream)).await.unwrap();
    append(&one, to("a", exact(1))).await.unwrap();
    // `one` remembers version 2; now there are 3.
    append(&other, to("a", exact(2))).await.unwrap();
    let any = append(&one, to("a", ExpectedVersion::Any)).await.unwrap();
    assert_eq!(any.versions, [Version::new(4)]);
    append(&other, to("a", exact(4))).await.unwrap();
    let stale = append(&one, to("a", exact(4))).await.unwrap_err();
    assert!(matches!(stale, AppendError::WrongExpectedVersion { actual, .. } if actual == Version::new(5)));
    // The writer knows more than the adapter, or believes so.
    append(&other, to("a", exact(5))).await.unwrap();
    assert_eq!(append(&one, to("a", exact(6))).await.unwrap().versions, [Version::new(7)]);
    let bold = append(&one, to("a", exact(9))).await.unwrap_err();
    assert!(matches!(bold, AppendError::WrongExpectedVersion { actual, .. } if actual == Version::new(7)));
    // A stream that one of them has not heard of.
    append(&other, to("b", ExpectedVersion::NoStream)).await.unwrap();
    let exists = append(&one, to("b", ExpectedVersion::NoStream)).await.unwrap_err();
    assert!(matches!(exists, AppendError::StreamExists { .. }), "{exists}");
    let exists = append(&one, to("c", exact(1))).await.unwrap_err();
    assert!(matches!(exists, AppendError::WrongExpectedVersion { .. }), "{exists}");
    append(&one, to("b", ExpectedVersion::StreamExists)).await.unwrap();
    let events = whole_log(&one).await;
    assert_eq!(events.len(), 9);
    assert_gapless(&events);
}

/// The same append again is recognised, whether or not the stream has gone on; another one with its event is not.
#[tokio::test]
async fn a_repeated_append_is_recognised() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let first = to("a", exact(0));
    let stored = append(&adapter, first.clone()).await.unwrap();
    append(&adapter, to("a", exact(1))).await.unwrap();
    assert_eq!(append(&adapter, first.clone()).await, Ok(stored.again()));
    let mut elsewhere = first;
    elsewhere.streams[0].stream = stream("b");
    let error = append(&adapter, elsewhere).await.unwrap_err();
    assert!(matches!(error, AppendError::DuplicateEvent { .. }), "{error}");
    assert_eq!(whole_log(&adapter).await.len(), 2);
}

/// A stream whose row was marked as deleted, by whomever, takes no more events, whatever a writer remembers.
#[tokio::test]
async fn a_deleted_stream_is_noticed() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    let delete = format!("UPDATE {}.streams SET deleted_at = now()", schema.name());
    client(schema.url()).await.batch_execute(&delete).await.unwrap();
    let error = append(&adapter, to("a", exact(1))).await.unwrap_err();
    assert!(matches!(error, AppendError::StreamDeleted(_)), "{error}");
    append(&adapter, to("b", ExpectedVersion::Any)).await.unwrap();
}

/// AP-02: a stream that has a row and no event counts as none.
#[tokio::test]
async fn a_stream_without_events_is_none() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let sql = "UPDATE {}.log SET last_stream = 2; INSERT INTO {}.streams (stream_id, name, created_at)
               VALUES (1, 'a', now()), (2, 'b', now())";
    client(schema.url()).await.batch_execute(&sql.replace("{}", schema.name())).await.unwrap();
    let none = append(&adapter, to("a", ExpectedVersion::StreamExists)).await;
    assert_eq!(none, Err(AppendError::StreamNotFound(stream("a"))));
    for (name, expected) in [("a", ExpectedVersion::NoStream), ("b", exact(0))] {
        assert_eq!(append(&adapter, to(name, expected)).await.unwrap().versions, [Version::new(1)]);
    }
    assert_gapless(&whole_log(&adapter).await);
}

/// MA-02, AP-08: when the documents of an append cannot be written, its events are not stored, and those of others are.
#[tokio::test]
async fn documents_that_cannot_be_written_take_their_events_along() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let client = client(schema.url()).await;
    let broken = "
        CREATE FUNCTION {}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;
        CREATE TRIGGER broken BEFORE INSERT ON {}.documents EXECUTE FUNCTION {}.refuse()";
    client.batch_execute(&broken.replace("{}", schema.name())).await.unwrap();
    let item = Item { group: "g".into(), rank: None, tags: Vec::new() };
    let with_documents =
        || Append { documents: items([("k", Some(item.clone()))]), ..to("a", ExpectedVersion::Any) };
    let group = vec![with_documents(), to("b", exact(0))];
    let outcomes = adapter.append(group, Timestamp::from_micros(1)).await;
    let error = outcomes[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("out of order") && outcomes[1].is_ok(), "{outcomes:?}");
    let streams: Vec<_> = whole_log(&adapter).await.iter().map(|event| event.stream.to_string()).collect();
    assert_eq!(streams, ["b"]);
    let mend = format!("DROP TRIGGER broken ON {}.documents", schema.name());
    client.batch_execute(&mend).await.unwrap();
    append(&adapter, with_documents()).await.unwrap();
    assert_gapless(&whole_log(&adapter).await);
}

/// UX-05, UX-06: claims and commands hold across adapters.
#[tokio::test]
async fn claims_and_commands_hold_across_adapters() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    let name = ClaimName::new("accounts.username", "ada");
    let claim = |owner: &str, take: bool| {
        let mut append = to(owner, ExpectedVersion::Any);
        let names = vec![name.clone()];
        let (take, release) = if take { (names, vec![]) } else { (vec![], names) };
        append.claims = Claims { owner: owner.into(), take, release, from: None };
        append
    };
    append(&one, claim("u-1", true)).await.unwrap();
    let error = append(&other, claim("u-2", true)).await.unwrap_err();
    assert!(matches!(&error, AppendError::Claimed { owner, .. } if owner == "u-1"), "{error}");
    append(&other, claim("u-1", false)).await.unwrap();
    append(&one, claim("u-2", true)).await.unwrap();

    let reply = Json::encode("first").unwrap();
    let command = |reply: &str| {
        let record = CommandRecord { id: CommandId(Uuid::from_u128(9)), reply: Json::encode(reply).unwrap() };
        Append { command: Some(record), ..to("c", ExpectedVersion::Any) }
    };
    let first = append(&one, command("first")).await.unwrap();
    assert_eq!((first.repeated, first.last_position.unwrap().get()), (None, 4));
    let again = append(&other, command("second")).await.unwrap();
    assert_eq!((again.repeated, again.last_position.unwrap().get()), (Some(reply.clone()), 4));
    let found = other.find_command(CommandId(Uuid::from_u128(9))).await.unwrap().unwrap();
    assert_eq!(found.repeated, Some(reply));
    assert_gapless(&whole_log(&one).await);
}

/// AP-04: of two adapters that race for a version of one stream, one wins it.
#[tokio::test]
async fn racing_adapters_have_one_winner_per_version() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for version in 0..40 {
        let (a, b) =
            tokio::join!(append(&one, to("a", exact(version))), append(&other, to("a", exact(version))));
        let lost = match (a, b) {
            (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
            outcomes => panic!("version {version}: {outcomes:?}"),
        };
        assert!(
            matches!(lost, AppendError::WrongExpectedVersion { actual, .. } if actual.get() == version + 1),
            "{lost}"
        );
    }
    let events = whole_log(&one).await;
    assert_eq!(events.len(), 40);
    assert_gapless(&events);
}

/// AP-05, UX-03: two adapters write while both are followed: each reader sees every position once and in order.
#[tokio::test]
async fn readers_of_two_adapters_see_no_gap_and_no_swap() {
    const GROUPS: usize = 60;
    let schema = schema();
    let adapters = [adapter(&schema).await, adapter(&schema).await];
    let writers = adapters.iter().zip(["one", "other"]).map(|(adapter, own)| {
        let adapter = Arc::clone(adapter);
        tokio::spawn(async move {
            for number in 0..GROUPS {
                let group = vec![
                    to("shared", ExpectedVersion::Any),
                    to(&format!("{own}-{number}"), ExpectedVersion::NoStream),
                    to(own, ExpectedVersion::Any),
                ];
                for outcome in adapter.append(group, Timestamp::from_micros(1)).await {
                    outcome.unwrap();
                }
            }
        })
    });
    let total = u64::try_from(2 * 3 * GROUPS).unwrap();
    let readers = adapters.iter().map(|adapter| follow(Arc::clone(adapter), total));
    let readers: Vec<_> = readers.map(tokio::spawn).collect();
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert_gapless(&whole_log(&adapters[0]).await);
}

/// Reads on as events come, and checks that each page goes on where the last one ended.
async fn follow(adapter: Arc<Postgres>, total: u64) {
    let mut seen = 0;
    while seen < total {
        let page = adapter.read_all(all_from(seen + 1, 7)).await.unwrap();
        for event in page.events {
            assert_eq!(event.position.get(), seen + 1);
            seen += 1;
        }
        assert_eq!(page.scanned_to.get(), seen);
    }
}

/// AP-09: an append that says when its events happened is recorded with that time, its neighbours with theirs.
#[tokio::test]
async fn an_append_may_say_when_its_events_happened() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let earlier = Append { recorded_at: Some(Timestamp::from_micros(-5)), ..to("a", ExpectedVersion::Any) };
    let group = vec![earlier, to("a", ExpectedVersion::Any), to("b", ExpectedVersion::Any)];
    for outcome in adapter.append(group, Timestamp::from_micros(1_769_860_800_123_456)).await {
        outcome.unwrap();
    }
    let times: Vec<_> = whole_log(&adapter).await.iter().map(|event| event.recorded_at.as_micros()).collect();
    assert_eq!(times, [-5, 1_769_860_800_123_456, 1_769_860_800_123_456]);
}

/// What PostgreSQL cannot hold fails its own append, with the database's words, and nobody else's in the group.
#[tokio::test]
async fn an_append_that_cannot_be_held_fails_alone() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    let taking = |stream: &str, value: &str| {
        let claims = Claims {
            owner: stream.into(),
            take: vec![ClaimName::new("test", value)],
            release: vec![],
            from: None,
        };
        Append { claims, ..to(stream, ExpectedVersion::Any) }
    };
    let long: String = (0..40_000_u32).filter_map(|n| char::from_u32(n * 7919 % 50_000 + 200)).collect();
    let group = vec![to("a", exact(1)), taking("b", "nul\0"), taking("c", "fine"), taking("d", &long)];
    let outcomes = adapter.append(group, Timestamp::from_micros(1)).await;
    let stored: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [true, false, true, false], "{outcomes:?}");
    assert!(outcomes[1].as_ref().unwrap_err().to_string().contains("22021"), "{:?}", outcomes[1]);
    append(&adapter, to("a", exact(2))).await.unwrap();
    assert_gapless(&whole_log(&adapter).await);
}

/// UX-04: an append to several streams of which one is not as expected stores nothing, and names that stream.
#[tokio::test]
async fn several_streams_are_one_atom() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("b", ExpectedVersion::Any)).await.unwrap();
    let mut atom = to("a", ExpectedVersion::NoStream);
    atom.streams.extend(to("b", exact(3)).streams);
    atom.streams.extend(to("c", ExpectedVersion::NoStream).streams);
    let error = append(&adapter, atom.clone()).await.unwrap_err();
    assert!(matches!(&error, AppendError::WrongExpectedVersion { stream, .. } if stream.as_str() == "b"));
    atom.streams[1].expected = exact(1);
    atom.streams[1].events.push(event("more"));
    let stored = append(&adapter, atom).await.unwrap();
    assert_eq!(stored.versions, [Version::new(1), Version::new(3), Version::new(1)]);
    assert_eq!(stored.last_position.unwrap().get(), 5);
    assert_gapless(&whole_log(&adapter).await);
}

/// A page of rare events, either way, is found by what lists them by kind and not by looking at what is between.
#[tokio::test]
async fn a_selected_page_skips_what_is_not_selected() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    // As if what came after it had been erased.
    let client = client(schema.url()).await;
    let sql =
        "UPDATE {}.log SET position = 150000; SELECT {}.close_spans(0, 150000)".replace("{}", schema.name());
    client.batch_execute(&sql).await.unwrap();
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    let page = async |from: Option<u64>, direction: Direction| {
        let (from, selector) = (from.map(Position::new), Selector::names(["test.happened"]));
        let page = adapter.read_all(ReadAll { from, direction, limit: 10, selector }).await.unwrap();
        (page.events.len(), page.scanned_to.get())
    };
    assert_eq!(page(None, Direction::Backward).await, (2, 1));
    assert_eq!(page(Some(150_000), Direction::Backward).await, (1, 1));
    assert_eq!(page(Some(1), Direction::Backward).await, (1, 1));
    assert_eq!(page(None, Direction::Forward).await, (2, 150_001));
    assert_eq!(page(Some(2), Direction::Forward).await, (1, 150_001));
}
