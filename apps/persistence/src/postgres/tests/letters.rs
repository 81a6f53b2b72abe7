//! Acts on many dead letters beside appends: what they look through, and how long they hold the log's lock.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use umbel_core::{
    ExpectedVersion, StreamName,
    store::{Act, LetterFilter},
    subscription::{Start, SubscriptionName},
};
use umbel_testkit::postgres::TestSchema;

use super::{
    locks::{lock, until_waiting_for},
    support::{adapter, append, client, schema, to, whole_log},
    upkeep::{NOW, act, perform},
};
use crate::{Subscriptions, Upkeep, postgres::Postgres};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(30);

/// 20,000 letters of 200 keys, of which each thousandth has an error of its own.
const FILL: &str = r"
    INSERT INTO {schema}.subscriptions (name, kept_as, source, created_at, incarnation)
    VALUES ('s', 's', 'log', now(), 0);
    INSERT INTO {schema}.subscription_partitions (subscription, partition, epoch, checkpoint, letters)
    VALUES ('s', 0, 1, 20000, 20000);
    INSERT INTO {schema}.letters (box, place, partition, key, key_text, event_id, position, event_name, error,
        attempts, first_failed_at, last_failed_at, parked_at, replay, head)
    SELECT (SELECT box FROM {schema}.subscriptions), n, 0, n % 200, 'key-' || n % 200, gen_random_uuid(), n, 'test.happened',
        CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'frequent' END, 1, now(), now(), now(), false, n <= 200
    FROM generate_series(1, 20000) n;
";

async fn filled(schema: &TestSchema) -> Arc<Postgres> {
    let adapter = adapter(schema).await;
    let fill = FILL.replace("{schema}", schema.name());
    client(schema.url()).await.batch_execute(&fill).await.unwrap();
    adapter
}

fn all(limit: u32) -> [Act; 2] {
    let filter = LetterFilter::default;
    [Act::RetryLetters { filter: filter(), limit }, Act::DiscardLetters { filter: filter(), limit }]
}

/// UX-08: Between chunks appends go on: the log has those of another process in between the records of the acts.
#[tokio::test]
async fn appends_go_on_between_chunks() {
    let schema = schema();
    let (operator, writer) = (filled(&schema).await, adapter(&schema).await);
    let operating = tokio::spawn(async move {
        let mut letters = 0;
        for one in all(500) {
            loop {
                match perform(&operator, act(one.clone())).await.events {
                    0 => break,
                    chunk => letters += chunk,
                }
            }
        }
        letters
    });
    while !operating.is_finished() {
        append(&writer, to("a", ExpectedVersion::Any)).await.unwrap();
    }
    assert_eq!(operating.await.unwrap(), 40_000);
    let log = whole_log(&writer).await;
    let is_record = |stream: &StreamName| *stream == StreamName::audit();
    let records = log.iter().filter(|event| is_record(&event.stream)).count();
    assert_eq!(records, 82);
    let followed =
        log.windows(2).filter(|two| is_record(&two[0].stream) && !is_record(&two[1].stream)).count();
    assert!(followed > records / 4, "{followed} of {records} records are followed by an append");
}

/// UX-08: Whatever it takes to find what an act is about, appends do not wait for it.
#[tokio::test]
async fn looking_for_letters_holds_up_no_append() {
    let schema = schema();
    let (operator, writer) = (filled(&schema).await, adapter(&schema).await);
    let client = client(schema.url()).await;
    for one in all(500) {
        let holder = lock(&schema, "letters").await;
        let operator = Arc::clone(&operator);
        let operating = tokio::spawn(async move { operator.perform(act(one), NOW).await });
        until_waiting_for(&client, &schema, "meant_letters").await;
        let appended = timeout(SOON, append(&writer, to("a", ExpectedVersion::Any))).await;
        appended.expect("it waits for the act").unwrap();
        assert!(!operating.is_finished());
        holder.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(operating.await.unwrap().unwrap().events, 500);
    }
}

/// SU-27: a subscription that has very many letters is renamed, reset and deleted in acts that touch none of them, so that appends wait for
/// nothing. What is lost goes in steps that hold up nobody, also when the process ends between two of them.
#[tokio::test]
async fn acts_on_a_subscription_touch_none_of_its_letters() {
    let schema = schema();
    let operator = filled(&schema).await;
    let client = client(schema.url()).await;
    let one = |text| SubscriptionName::new(text).unwrap();
    let holder = lock(&schema, "letters").await;
    for of_all in [
        Act::RenameSubscription { subscription: one("s"), to: one("t") },
        Act::ResetSubscription { subscription: one("t"), start: Start::Origin },
    ] {
        let done = timeout(SOON, perform(&operator, act(of_all.clone()))).await;
        assert_eq!(done.expect("it waits for the letters").events, 20_000, "{of_all:?}");
    }
    let deleted = Act::DeleteSubscription { subscription: one("t") };
    let deleted = timeout(SOON, perform(&operator, act(deleted))).await;
    assert_eq!(deleted.expect("it waits for the letters").events, 0, "it was reset");
    holder.batch_execute("ROLLBACK").await.unwrap();

    let sql = "SELECT (SELECT count(*) FROM {}.letters), (SELECT count(*) FROM {}.lost_boxes)";
    let sql = sql.replace("{}", schema.name());
    let kept = async || {
        let row = client.query_one(&sql, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    assert_eq!(kept().await, (20_000, 2));
    assert_eq!(operator.sweep_letters(9_000).await, Ok(9_000));
    drop(operator);
    assert_eq!(kept().await, (11_000, 2));
    let next = adapter(&schema).await;
    // Whoever empties one keeps nobody, and others pass it over.
    let beside = super::support::client(schema.url()).await;
    let hold = format!("BEGIN; SELECT FROM {}.lost_boxes FOR UPDATE", schema.name());
    beside.batch_execute(&hold).await.unwrap();
    assert_eq!(timeout(SOON, next.sweep_letters(9_000)).await.expect("it waits"), Ok(0));
    beside.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!((next.sweep_letters(9_000).await, next.sweep_letters(9_000).await), (Ok(9_000), Ok(2_000)));
    assert_eq!(kept().await, (0, 0));
}

/// What was found is looked at again under the lock: a letter that has failed otherwise since is not discarded for what it was.
#[tokio::test]
async fn a_letter_that_has_failed_otherwise_since_stays() {
    let schema = schema();
    let operator = filled(&schema).await;
    let client = client(schema.url()).await;
    let hold = format!("BEGIN; SELECT FROM {}.log FOR UPDATE", schema.name());
    client.batch_execute(&hold).await.unwrap();
    let filter = LetterFilter { error_contains: Some("rare".into()), ..LetterFilter::default() };
    let discard = Act::DiscardLetters { filter, limit: 500 };
    let discarding = tokio::spawn({
        let operator = Arc::clone(&operator);
        async move { operator.perform(act(discard), NOW).await }
    });
    let beside = super::support::client(schema.url()).await;
    until_waiting_for(&beside, &schema, "log").await;
    let otherwise =
        format!("UPDATE {}.letters SET error = 'other' WHERE place = 3000; COMMIT", schema.name());
    client.batch_execute(&otherwise).await.unwrap();
    assert_eq!(discarding.await.unwrap().unwrap().events, 19);
    let sql = format!("SELECT count(*) FROM {}.letters WHERE place = 3000", schema.name());
    assert_eq!(client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 1);
}
