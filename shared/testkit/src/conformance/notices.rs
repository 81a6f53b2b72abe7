//! Kept notices.

use std::time::Duration;

use umbel_core::{
    Json, Timestamp,
    store::{KeepNotices, KeptNotice, ListNotices, SweepNotices},
};
use uuid::Uuid;

use super::StoreUnderTest;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn notice(number: u128, topic: &str, occurred_at: i64) -> KeptNotice {
    KeptNotice {
        id: Uuid::from_u128(number),
        topic: topic.into(),
        transaction_id: None,
        source: None,
        initialized_at: None,
        occurred_at: at(occurred_at),
        expires_at: None,
        data: Json::parse(number.to_string()).unwrap(),
    }
}

async fn keep<S: StoreUnderTest>(store: &S, notices: impl IntoIterator<Item = KeptNotice>) -> u64 {
    store.ask(KeepNotices { notices: notices.into_iter().collect() }).await.unwrap()
}

async fn list<S: StoreUnderTest>(store: &S, request: ListNotices) -> Vec<u128> {
    let page = store.ask(ListNotices { limit: 100, ..request }).await.unwrap();
    page.iter().map(|notice| notice.id.as_u128()).collect()
}

/// PG-01: notices are kept whole, in batches; one whose id is kept already, or twice in a batch, changes nothing.
pub async fn a_notice_is_kept_once<S: StoreUnderTest>(store: S) {
    let full = KeptNotice {
        transaction_id: Some(Uuid::from_u128(u128::MAX)),
        source: Some("Ådä's app".into()),
        initialized_at: Some(at(-7)),
        expires_at: Some(at(99)),
        data: Json::parse(r#"{"z": 1.50, "a": ["👋", null]}"#).unwrap(),
        ..notice(1, "tøpic", 5)
    };
    assert_eq!(keep(&store, []).await, 0);
    assert_eq!(keep(&store, [full.clone(), notice(2, "t", 6)]).await, 2);
    let changed = KeptNotice { topic: "other".into(), ..notice(1, "t", 7) };
    assert_eq!(keep(&store, [changed, notice(3, "t", 8), notice(3, "again", 9)]).await, 1);
    let kept = store.ask(ListNotices { limit: 9, ..ListNotices::default() }).await.unwrap();
    assert_eq!(kept, [full, notice(2, "t", 6), notice(3, "t", 8)]);
}

/// PG-03: notices are listed by time and then by id, by topic, transaction and start, all together, too.
pub async fn notices_are_listed_by_time<S: StoreUnderTest>(store: S) {
    let transaction = Uuid::from_u128(77);
    let of_one = |number, topic, occurred_at| KeptNotice {
        transaction_id: Some(transaction),
        ..notice(number, topic, occurred_at)
    };
    let others =
        [notice(9, "a", 10), notice(5, "b", 10), of_one(7, "a", 5), of_one(1, "b", 30), of_one(8, "a", 20)];
    assert_eq!(keep(&store, others).await, 5);
    let every = ListNotices::default;
    let (topic, since) = (Some("a".to_owned()), Some(at(10)));
    for (request, expected) in [
        (every(), vec![7, 5, 9, 8, 1]),
        (ListNotices { topic: topic.clone(), ..every() }, vec![7, 9, 8]),
        (ListNotices { topic: Some("A".into()), ..every() }, vec![]),
        (ListNotices { transaction_id: Some(transaction), ..every() }, vec![7, 8, 1]),
        (ListNotices { since, ..every() }, vec![5, 9, 8, 1]),
        (ListNotices { since: Some(at(11)), ..every() }, vec![8, 1]),
        (ListNotices { topic, transaction_id: Some(transaction), since, ..every() }, vec![8]),
        (ListNotices { after: Some((at(10), Uuid::from_u128(5))), ..every() }, vec![9, 8, 1]),
        (ListNotices { after: Some((at(10), Uuid::from_u128(6))), ..every() }, vec![9, 8, 1]),
        (ListNotices { after: Some((at(30), Uuid::from_u128(1))), ..every() }, vec![]),
        (ListNotices { after: Some((at(5), Uuid::max())), since: Some(at(20)), ..every() }, vec![8, 1]),
    ] {
        assert_eq!(list(&store, request.clone()).await, expected, "{request:?}");
    }
}

/// PG-03: pages stay stable while notices are kept and swept: each that stays is met once.
pub async fn pages_of_notices_are_stable<S: StoreUnderTest>(store: S) {
    // Many at one moment, so that ids decide.
    keep(&store, (100..140).map(|number| notice(number, "t", 10 + i64::from(number % 3 == 0)))).await;
    let mut expected: Vec<_> = (100..140).filter(|number| number % 3 != 0).collect();
    expected.extend((100..140).filter(|number| number % 3 == 0));
    for limit in [1, 7, 40] {
        let (mut met, mut after) = (Vec::new(), None);
        for page_number in 0.. {
            let page = store.ask(ListNotices { after, limit, ..ListNotices::default() }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.occurred_at, last.id));
            met.extend(page.iter().map(|notice| notice.id.as_u128()));
            // Kept meanwhile behind the reader; swept again below.
            let behind = notice(1000 + u128::from(limit) * 100 + page_number, "t", 1);
            keep(&store, [behind.for_at_least(Duration::ZERO)]).await;
        }
        assert_eq!(met, expected, "by {limit}");
        assert!(store.ask(SweepNotices { now: at(1) }).await.unwrap() > 0);
    }
}

/// PG-03: a sweep removes what has expired by then, to the microsecond, and nothing else.
pub async fn a_sweep_removes_what_has_expired<S: StoreUnderTest>(store: S) {
    let lasting = |number, micros| notice(number, "t", 10).for_at_least(Duration::from_micros(micros));
    keep(&store, [lasting(1, 5), lasting(2, 6), notice(3, "t", 1), lasting(4, 100)]).await;
    for (now, removed, left) in
        [(14, 0, vec![3, 1, 2, 4]), (15, 1, vec![3, 2, 4]), (15, 0, vec![3, 2, 4]), (1_000, 2, vec![3])]
    {
        assert_eq!(store.ask(SweepNotices { now: at(now) }).await, Ok(removed), "at {now}");
        assert_eq!(list(&store, ListNotices::default()).await, left, "at {now}");
    }
    // Swept, its id is free again.
    assert_eq!(keep(&store, [notice(1, "t", 20)]).await, 1);
}
