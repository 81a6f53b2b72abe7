//! The outbox: work that is left with an append.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;
use umbel_core::{
    ExpectedVersion::{self, Any, NoStream},
    Json, Timestamp,
    store::{
        Append, AppendError, Appended, ClearOutbox, DuePage, FindWork, InvalidAppend, ListQueues,
        OutboxEntry, QueueInfo, ReadDue, ReadOutbox, Waiting,
    },
};
use uuid::Uuid;

use super::{Events, PAYLOAD_MAX_BYTES, StoreUnderTest, command, exact};

fn entry(number: u128, queue: &str) -> OutboxEntry {
    let body = Json::parse(format!(r#"{{"number": {number}, "ü": "\" '"}}"#)).unwrap();
    OutboxEntry { id: Uuid::from_u128(0x4000 + number), queue: queue.into(), body, due_at: None }
}

fn with(entries: impl Into<Vec<OutboxEntry>>, append: Append) -> Append {
    Append { outbox: entries.into(), ..append }
}

async fn read<S: StoreUnderTest>(store: &S, queue: &str, after: u64, limit: u32) -> Vec<Waiting> {
    let waiting = store.ask(ReadOutbox { queue: queue.into(), after, limit }).await.unwrap();
    assert!(waiting.is_sorted_by(|a, b| a.number < b.number), "numbers do not rise");
    waiting
}

async fn entries<S: StoreUnderTest>(store: &S, queue: &str) -> Vec<OutboxEntry> {
    read(store, queue, 0, 1000).await.into_iter().map(|waiting| waiting.entry).collect()
}

fn done(ids: impl IntoIterator<Item = OutboxEntry>, append: Append) -> Append {
    Append { done: ids.into_iter().map(|entry| entry.id).collect(), ..append }
}

fn due(number: u128, at_micros: i64) -> OutboxEntry {
    OutboxEntry { due_at: Some(Timestamp::from_micros(at_micros)), ..entry(number, "q") }
}

async fn read_due<S: StoreUnderTest>(store: &S, now_micros: i64, limit: u32) -> DuePage {
    let request = ReadDue { queue: "q".into(), now: Timestamp::from_micros(now_micros), limit };
    store.ask(request).await.unwrap()
}

/// AP-08: work is left if and only if the append is stored: with events, without, and never by a refused one.
pub async fn work_is_left_with_the_append<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let (one, two, three) = (entry(1, "mail"), entry(2, "mail"), entry(3, "mail"));
    store.append(with([one.clone(), two.clone()], events.append("s", NoStream, 1))).await.unwrap();
    let refused = with([entry(9, "mail")], events.append("s", exact(7), 1));
    store.append(refused).await.unwrap_err();
    let alone = store.append(with([three.clone()], Append::default())).await;
    assert_eq!(alone, Ok(Appended::now(None, Vec::new())));
    assert_eq!(entries(&store, "mail").await, [one, two, three]);
    let stored_at = store.stream_info(super::stream("s")).await.unwrap().created_at;
    assert_eq!(read(&store, "mail", 0, 1).await[0].recorded_at, stored_at);
}

/// AP-16: work as large as an event may be is left, with one byte more the append is refused, and nothing of it is there; what goes on
/// with work that was let in before is stored as it has grown.
pub async fn bodies_have_a_limit<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let sized = |number, len: usize| {
        let body = Json::encode(&"x".repeat(len - 2)).unwrap();
        OutboxEntry { body, ..entry(number, "q") }
    };
    let (full, large) = (sized(1, PAYLOAD_MAX_BYTES), sized(2, PAYLOAD_MAX_BYTES + 1));
    store.append(with([full.clone()], events.append("s", NoStream, 1))).await.unwrap();
    let (id, size_bytes, limit_bytes) = (large.id, PAYLOAD_MAX_BYTES + 1, PAYLOAD_MAX_BYTES);
    let too_large = InvalidAppend::EntryTooLarge { id, size_bytes, limit_bytes };
    let refused = store.append(with([entry(3, "q"), large.clone()], events.append("s", Any, 1))).await;
    assert_eq!(refused, Err(AppendError::Invalid(too_large)));
    assert_eq!(store.stream_info(super::stream("s")).await.unwrap().version.get(), 1);
    assert!(entries(&store, "q").await == [full.clone()]);

    let grown = done([full], with([large.clone()], Append::default()));
    store.append(Append { goes_on: true, ..grown }).await.unwrap();
    assert!(entries(&store, "q").await == [large]);
}

/// Entries wait in the order they were stored, each queue for itself, and are read page by page.
pub async fn queues_are_read_in_order<S: StoreUnderTest>(store: S) {
    for number in 0..10 {
        let queue = if number % 3 == 0 { "b" } else { "a" };
        store.append(with([entry(number, queue)], Append::default())).await.unwrap();
    }
    for (queue, numbers) in [("a", vec![1, 2, 4, 5, 7, 8]), ("b", vec![0, 3, 6, 9]), ("A", vec![])] {
        let expected: Vec<_> = numbers.into_iter().map(|number| entry(number, queue)).collect();
        for limit in [1, 4, 100] {
            let (mut found, mut after) = (Vec::new(), 0);
            loop {
                let page = read(&store, queue, after, limit).await;
                let Some(last) = page.last() else { break };
                after = last.number;
                found.extend(page.into_iter().map(|waiting| waiting.entry));
            }
            assert_eq!(found, expected, "{queue} by {limit}");
        }
    }
}

/// OP-10: queues are listed by name, page by page, each with how many entries wait and when the first of them is due; one in which
/// nothing waits any more is not.
pub async fn queues_are_listed_with_what_waits<S: StoreUnderTest>(store: S) {
    let list = async |after: &str, limit| store.ask(ListQueues { after: after.into(), limit }).await.unwrap();
    assert_eq!(list("", 9).await, []);
    let (far, soon) = (4_000_000_000_000_000, 10);
    let mail = entry(4, "mail");
    let all = [due(1, far), due(2, soon), due(3, far), mail.clone(), entry(5, "Mail"), entry(6, "mail.é")];
    store.append(with(all, Append::default())).await.unwrap();
    let recorded_at = read(&store, "mail", 0, 1).await[0].recorded_at;
    let info = |queue: &str, waiting, first_due_at| QueueInfo { queue: queue.into(), waiting, first_due_at };
    let expected = [
        info("Mail", 1, recorded_at),
        info("mail", 1, recorded_at),
        info("mail.é", 1, recorded_at),
        info("q", 3, Timestamp::from_micros(soon)),
    ];
    for limit in [1, 2, 3, 4, 9] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = list(&after, limit).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= usize::try_from(limit).unwrap());
            after.clone_from(&last.queue);
            found.extend(page);
        }
        assert_eq!(found, expected, "by {limit}");
    }
    store.append(done([mail, due(2, soon)], Append::default())).await.unwrap();
    let left = [
        info("Mail", 1, recorded_at),
        info("mail.é", 1, recorded_at),
        info("q", 2, Timestamp::from_micros(far)),
    ];
    assert_eq!(list("", 9).await, left);
    assert_eq!(list("", 0).await, []);
}

/// What is done is taken out, once; what comes later gets a greater number than everything before.
pub async fn done_work_is_taken_out<S: StoreUnderTest>(store: S) {
    let all: Vec<_> = (1..=4).map(|number| entry(number, "q")).collect();
    store.append(with(all.as_slice(), Append::default())).await.unwrap();
    let numbers: Vec<_> = read(&store, "q", 0, 9).await.iter().map(|waiting| waiting.number).collect();
    let clear = |numbers: &[u64]| ClearOutbox { numbers: numbers.to_vec() };
    assert_eq!(store.ask(clear(&[numbers[1], numbers[3], numbers[3] + 100])).await, Ok(2));
    assert_eq!(store.ask(clear(&[numbers[1]])).await, Ok(0));
    assert_eq!(store.ask(clear(&[])).await, Ok(0));
    assert_eq!(entries(&store, "q").await, [all[0].clone(), all[2].clone()]);
    assert_eq!(store.ask(clear(&numbers)).await, Ok(2));
    assert_eq!(entries(&store, "q").await, []);
    store.append(with([entry(5, "q")], Append::default())).await.unwrap();
    assert!(read(&store, "q", 0, 9).await[0].number > numbers[3], "a number was used again");
}

/// UX-02, UX-06: an append or a command that comes again leaves no second entry; nor does an id that waits already.
pub async fn work_is_not_left_twice<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let append = with([entry(1, "q")], events.append("s", NoStream, 1));
    let commanded = Append { command: Some(command(1, "1")), ..with([entry(2, "q")], Append::default()) };
    for _ in 0..2 {
        store.append(append.clone()).await.unwrap();
        store.append(commanded.clone()).await.unwrap();
    }
    let changed = OutboxEntry { queue: "other".into(), ..entry(1, "q") };
    let new = entry(3, "q");
    store.append(with([changed, new.clone(), new.clone()], events.append("s", Any, 1))).await.unwrap();
    assert_eq!(entries(&store, "q").await, [entry(1, "q"), entry(2, "q"), new]);
    assert_eq!(entries(&store, "other").await, []);
}

/// AP-08, UX-01: among many appends at once, those that are stored leave their work, and only those.
pub async fn racing_appends_leave_their_own_work<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let mut tasks = JoinSet::new();
    for number in 0..60 {
        let expected: ExpectedVersion = if number % 2 == 0 { Any } else { NoStream };
        let append = events.append(&format!("s-{}", number % 7), expected, 1);
        let (store, append) = (store.clone(), with([entry(number, "q")], append));
        tasks.spawn(async move { store.append(append).await.is_ok().then(|| entry(number, "q").id) });
    }
    let stored: BTreeSet<_> = tasks.join_all().await.into_iter().flatten().collect();
    let left: BTreeSet<_> = entries(&*store, "q").await.into_iter().map(|entry| entry.id).collect();
    assert!(stored.len() >= 30 && left == stored, "{} stored, {} left", stored.len(), left.len());
}

/// AP-08: what an append has done is taken out if and only if it is stored, and what it plans is there then; a command that comes
/// again changes nothing of either.
pub async fn work_is_done_and_planned_in_one<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(with([entry(1, "q"), entry(2, "q")], events.append("s", NoStream, 1))).await.unwrap();
    let refused = done([entry(1, "q")], with([entry(9, "q")], events.append("s", exact(7), 1)));
    store.append(refused).await.unwrap_err();
    assert_eq!(entries(&store, "q").await, [entry(1, "q"), entry(2, "q")]);

    let step = done([entry(1, "q"), entry(8, "q")], with([entry(3, "q")], events.append("s", exact(1), 1)));
    let step = Append { command: Some(command(1, "1")), ..step };
    assert_eq!(store.append(step).await.unwrap().repeated, None);
    assert_eq!(entries(&store, "q").await, [entry(2, "q"), entry(3, "q")]);

    let again = done([entry(2, "q")], with([entry(4, "q")], Append::default()));
    let again = Append { command: Some(command(1, "2")), ..again };
    assert_eq!(store.append(again).await.unwrap().repeated, Some(command(1, "1").reply));
    assert_eq!(entries(&store, "q").await, [entry(2, "q"), entry(3, "q")]);

    let alone = done([entry(2, "q"), entry(3, "q")], Append::default());
    for _ in 0..2 {
        assert_eq!(store.append(alone.clone()).await, Ok(Appended::now(None, Vec::new())));
        assert_eq!(entries(&store, "q").await, []);
    }
}

/// An id that waits is replaced by an append that also says it is done, and only by such a one; the new entry has a number of its
/// own. An id whose entry is gone is taken like a new one.
pub async fn waiting_work_is_replaced_when_asked<S: StoreUnderTest>(store: S) {
    store.append(with([due(1, 10), due(2, 20)], Append::default())).await.unwrap();
    store.append(with([due(1, 30)], Append::default())).await.unwrap();
    assert_eq!(entries(&store, "q").await, [due(1, 10), due(2, 20)]);
    let waits = read(&store, "q", 0, 9).await;
    let last = waits[1].number;
    assert_eq!(store.ask(FindWork { id: due(1, 0).id }).await, Ok(Some(waits[0].clone())));
    assert_eq!(store.ask(FindWork { id: due(3, 0).id }).await, Ok(None));
    store.append(done([due(1, 0)], with([due(1, 40)], Append::default()))).await.unwrap();
    assert_eq!(entries(&store, "q").await, [due(2, 20), due(1, 40)]);
    assert!(read(&store, "q", 0, 9).await[1].number > last);
    store.append(done([due(1, 0)], Append::default())).await.unwrap();
    store.append(with([due(1, 50)], Append::default())).await.unwrap();
    assert_eq!(entries(&store, "q").await, [due(2, 20), due(1, 50)]);
}

/// TM-03: an append that takes back or replaces an entry as it was read is stored if nobody has taken it, alone or of several at once,
/// whether that was recorded as a command or beside one; else nothing of it is, and its own try of before counts as itself.
pub async fn taken_work_is_not_replaced<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let record = |id, reply: &str| vec![command(id, reply)];
    store.append(with([due(1, 10), due(2, 20), due(3, 30)], Append::default())).await.unwrap();
    let taker = Append { command: Some(command(1, "\"taker\"")), ..done([due(1, 0)], Append::default()) };
    store.append(taker).await.unwrap();

    let late = done([due(1, 0)], with([due(7, 1)], events.append("s", NoStream, 1)));
    let late = Append { replaces: record(1, "\"late\""), ..late };
    let taken = AppendError::WorkTaken { id: command(1, "1").id };
    assert_eq!(store.append(late.clone()).await, Err(taken));
    assert_eq!(entries(&store, "q").await, [due(2, 20), due(3, 30)]);

    let first = done([due(2, 0)], with([due(2, 50)], events.append("s", NoStream, 1)));
    let first = Append { replaces: record(2, "\"first\""), command: Some(command(9, "9")), ..first };
    store.append(first.clone()).await.unwrap();
    assert_eq!(entries(&store, "q").await, [due(3, 30), due(2, 50)]);
    assert!(store.append(first).await.unwrap().repeated.is_some());
    let taker = Append { command: Some(command(2, "\"taker\"")), ..done([due(2, 0)], Append::default()) };
    assert_eq!(store.append(taker).await.unwrap().repeated, Some(command(2, "\"first\"").reply));
    assert_eq!(entries(&store, "q").await, [due(3, 30), due(2, 50)]);

    let alone = Append { replaces: record(3, "\"alone\""), ..done([due(3, 0)], Append::default()) };
    for _ in 0..2 {
        store.append(alone.clone()).await.unwrap();
        store.append(with([due(3, 60)], Append::default())).await.unwrap();
        assert_eq!(entries(&store, "q").await, [due(2, 50), due(3, 60)]);
    }

    let store = Arc::new(store);
    let mut racing = JoinSet::new();
    for number in 0..20 {
        let append = Append { replaces: record(4, &format!("{number}")), ..events.append("race", Any, 1) };
        let store = Arc::clone(&store);
        racing.spawn(async move { store.append(append).await });
    }
    let outcomes = racing.join_all().await;
    let taken = Err(AppendError::WorkTaken { id: command(4, "4").id });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == taken).count(), 19);
    assert_eq!(store.stream_info(super::stream("race")).await.unwrap().version.get(), 1);
}

/// Appends that are stored together change the outbox as they would one after the other.
pub async fn grouped_appends_change_the_outbox_in_order<S: StoreUnderTest>(store: S) {
    let store = Arc::new(store);
    for round in 0..20_u128 {
        let (left, gone, new) = (due(3 * round, 1), due(3 * round + 1, 2), due(3 * round + 2, 3));
        let moved = OutboxEntry { due_at: Some(Timestamp::from_micros(9)), ..left.clone() };
        let both = || [left.clone(), gone.clone()];
        let changes = [
            with(both(), Append::default()),
            done(both(), with([moved.clone(), new.clone()], Append::default())),
            with(both(), Append::default()),
            done([gone.clone()], Append::default()),
        ];
        // Polled in this order, they arrive in it; nearly always they are one group or two.
        let [a, b, c, d] = changes.map(|change| store.append(change));
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        assert!([a, b, c, d].iter().all(Result::is_ok));
        let mut found = entries(&*store, "q").await;
        found.retain(|entry| [left.id, gone.id, new.id].contains(&entry.id));
        assert_eq!(found, [moved, new], "round {round}");
    }
}

/// What is due is read in the order in which it became so, each queue for itself, and it is told when the next will be.
pub async fn due_work_is_read_in_its_order<S: StoreUnderTest>(store: S) {
    assert_eq!(read_due(&store, i64::MAX, 9).await, DuePage::default());
    let far = 4_000_000_000_000_000;
    let all = [due(1, 30), due(2, 10), due(3, far), due(4, 30), entry(5, "q"), due(6, far + 1)];
    store.append(with(all.as_slice(), Append::default())).await.unwrap();
    let other = OutboxEntry { queue: "other".into(), ..due(7, 5) };
    store.append(with([other], Append::default())).await.unwrap();
    let recorded_at = read(&store, "q", 0, 1).await[0].recorded_at.as_micros();
    assert!((31..far).contains(&recorded_at), "{recorded_at}");
    for (now, limit, expected, next) in [
        (9, 9, &[][..], Some(10)),
        (10, 9, &[2], Some(30)),
        (29, 9, &[2], Some(30)),
        (30, 9, &[2, 1, 4], Some(recorded_at)),
        (30, 2, &[2, 1], Some(recorded_at)),
        (recorded_at, 9, &[2, 1, 4, 5], Some(far)),
        (far, 9, &[2, 1, 4, 5, 3], Some(far + 1)),
        (i64::MAX / 2, 9, &[2, 1, 4, 5, 3, 6], None),
    ] {
        let page = read_due(&store, now, limit).await;
        let expected: Vec<_> = expected.iter().map(|number| all[number - 1].clone()).collect();
        let found: Vec<_> = page.entries.into_iter().map(|waiting| waiting.entry).collect();
        assert_eq!((found, page.next_due.map(Timestamp::as_micros)), (expected, next), "at {now}");
    }
}
