//! Dead letters: a queue for each key, tried again when somebody asks for it.

use std::collections::BTreeSet;

use umbel_core::{
    ExpectedVersion::Any,
    Json, Subject,
    store::{
        Act, Append, CountLetters, ERROR_MAX_BYTES, Failure, KEY_MAX_BYTES, KeepLeases, Letter, LetterFilter,
        ListLetters, NewLetter, ParkLetters, PerformError, ReadParkedKeys, Removal, SettleLetters,
        TakeLetters,
    },
    subscription::{Key, Settling},
};

use super::{
    Events, StoreUnderTest, delete, put, read_whole_stream, stream,
    subscribing::{
        PARTITIONS, act, at_place, due, failed, healthy, leases, letter, letter_at, listed, name, of_node,
        owned, park, place, settle, settled, state,
    },
};

/// No places.
const NOTHING: [u64; 0] = [];

/// A log with so many events.
async fn filled<S: StoreUnderTest>(store: &S, count: usize) -> Events {
    let events = Events::default();
    put(store, events.append("a", Any, count)).await;
    events
}

fn retry(at: u64) -> Act {
    Act::RetryLetters { filter: at_place(at), limit: 9 }
}

fn discard(at: u64) -> Act {
    Act::DiscardLetters { filter: at_place(at), limit: 9 }
}

/// Letters are kept whole, each once, in the order of their places; partitions count theirs.
pub async fn letters_are_kept_once<S: StoreUnderTest>(store: S) {
    filled(&store, 9).await;
    let leases = owned(&store).await;
    let failure = Failure { error: "Öl \" ' \\ 👋".into(), ..failed("", 3) };
    let letters = [(5, "k", Some(failure)), (2, "l", None), (7, "k", None)]
        .map(|(at, key, failure)| letter(&leases, at, key, failure));
    park(&store, letters.clone()).await;
    let kept = listed(&store, LetterFilter::default()).await;
    let sorted = [&letters[1], &letters[0], &letters[2]];
    for (kept, new) in kept.iter().zip(sorted) {
        let NewLetter { lease, place, key, key_text, event_id, position, event_name, failure } = new.clone();
        let expected = Letter {
            subscription: name("s"),
            partition: lease.partition,
            place,
            key,
            key_text,
            event_id,
            position,
            event_name,
            failure,
            parked_at: kept.parked_at,
            retry: false,
            replay: false,
            edited: None,
        };
        assert_eq!(*kept, expected);
    }
    assert_eq!(kept.len(), 3);
    // Again, and otherwise: the first stays.
    let otherwise = letters.clone().map(|new| NewLetter { failure: Some(failed("other", 9)), ..new });
    park(&store, [otherwise[0].clone(), otherwise[0].clone(), otherwise[2].clone()]).await;
    assert_eq!(listed(&store, LetterFilter::default()).await, kept);

    let stands = state(&store, "s").await.partitions;
    assert_eq!(stands.iter().map(|one| one.letters).sum::<u64>(), 3);
    for (partition, one) in (0..).zip(&stands) {
        let mine: Vec<_> = kept.iter().filter(|letter| letter.partition == partition).collect();
        assert_eq!(one.letters, u64::try_from(mine.len()).unwrap());
        assert_eq!(one.oldest_letter_at, mine.iter().map(|letter| letter.parked_at).min());
        let keys = store.ask(ReadParkedKeys { subscription: name("s"), partition }).await.unwrap();
        let expected: BTreeSet<_> = mine.iter().map(|letter| letter.key).collect();
        assert_eq!((keys.len(), keys.into_iter().collect()), (expected.len(), expected));
    }
    healthy(&store).await;
}

/// A letter is due when it is the first of its key and either somebody asked for it, or it only waited; so what waits follows by
/// itself, up to the next that has failed.
pub async fn a_letter_is_due_when_it_is_first_and_wanted<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 9).await;
    let held = owned(&store).await;
    let k = [(1, Some(failed("no", 1))), (3, None), (4, Some(failed("no", 2))), (6, None)]
        .map(|(at, failure)| letter(&held, at, "k", failure));
    let l = [2, 5].map(|at| letter(&held, at, "l", None));
    park(&store, k.iter().chain(&l).cloned()).await;
    let keep = || KeepLeases { hold: held.clone(), ..of_node("s", 1) };
    let due_partitions = async || {
        let kept = store.ask(keep()).await.unwrap();
        assert_eq!(leases(&kept), held);
        kept.partitions.iter().filter(|one| one.due).map(|one| one.partition).collect::<BTreeSet<_>>()
    };
    let of =
        |keys: &[&str]| keys.iter().map(|key| Key::of(key).partition(PARTITIONS)).collect::<BTreeSet<_>>();
    assert_eq!((due(&store).await, due_partitions().await), (vec![2], of(&["l"])));
    assert_eq!(act(&store, &events, retry(1)).await.events, 1);
    assert_eq!((due(&store).await, due_partitions().await), (vec![1, 2], of(&["k", "l"])));
    let one = TakeLetters { subscription: name("s"), partitions: (0..9).collect(), limit: 1 };
    assert_eq!(store.ask(one).await.unwrap(), [letter_at(&store, 1).await.unwrap()]);
    let partitions = of(&["k"]).into_iter().collect();
    let some = TakeLetters { subscription: name("s"), partitions, limit: 9 };
    assert!(store.ask(some).await.unwrap().iter().any(|letter| letter.place == place(1)));

    assert!(!settle(&store, &l[0], Settling::Done).await);
    assert_eq!(due(&store).await, [1, 5]);
    assert!(settle(&store, &l[1], Settling::Done).await, "none is left of its key");
    assert!(!settle(&store, &k[0], Settling::Done).await);
    assert_eq!(due(&store).await, [3], "it waited for the one that is done");
    assert!(!settle(&store, &k[1], Settling::Done).await);
    assert_eq!((due(&store).await, due_partitions().await), (vec![], of(&[])), "the next has failed itself");
    act(&store, &events, retry(4)).await;
    assert_eq!(due(&store).await, [4]);
    let again = failed("again", 3);
    assert!(!settle(&store, &k[2], Settling::Failed(again.clone())).await);
    assert_eq!(due(&store).await, NOTHING, "until somebody asks for it again");
    let kept = letter_at(&store, 4).await.unwrap();
    assert_eq!((kept.failure, kept.retry), (Some(again), false));
    // What only waited may fail as well.
    act(&store, &events, retry(4)).await;
    settle(&store, &k[2], Settling::Done).await;
    assert_eq!(due(&store).await, [6]);
    settle(&store, &k[3], Settling::Failed(failed("too", 1))).await;
    assert_eq!(due(&store).await, NOTHING);
    act(&store, &events, retry(6)).await;
    assert!(settle(&store, &k[3], Settling::Done).await);
    assert_eq!(state(&store, "s").await.partitions.iter().map(|one| one.letters).sum::<u64>(), 0);
    healthy(&store).await;
}

/// Who asks for a letter asks for all before it under the same key as well, and for no others; those it was asked for before do not
/// count.
pub async fn a_retry_takes_along_what_is_before<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 9).await;
    let held = owned(&store).await;
    let letters = [(1, "k"), (2, "l"), (3, "k"), (4, "k"), (5, "l"), (6, "k")]
        .map(|(at, key)| letter(&held, at, key, Some(failed("no", 1))));
    park(&store, letters.clone()).await;
    let asked = async || {
        let letters = listed(&store, LetterFilter::default()).await;
        letters.iter().filter(|one| one.retry).map(|one| one.place.get()).collect::<Vec<_>>()
    };
    assert_eq!(act(&store, &events, retry(4)).await.events, 3);
    assert_eq!((asked().await, due(&store).await), (vec![1, 3, 4], vec![1]));
    let again = events.perform(retry(3));
    let performed = store.ask(again.clone()).await.unwrap();
    assert_eq!((performed.events, store.ask(again).await), (0, Ok(performed)), "the same act again");
    for at in [0, 2, 3] {
        settle(&store, &letters[at], Settling::Done).await;
    }
    assert_eq!((asked().await, due(&store).await), (vec![], vec![]));
    // The oldest first, so many at a time, until nothing is left to ask for.
    let some = |limit| Act::RetryLetters { filter: LetterFilter::default(), limit };
    assert_eq!(act(&store, &events, some(1)).await.events, 1);
    assert_eq!(asked().await, [2]);
    assert_eq!(act(&store, &events, some(9)).await.events, 2);
    assert_eq!(act(&store, &events, some(9)).await.events, 0);
    assert_eq!((asked().await, due(&store).await), (vec![2, 5, 6], vec![2, 6]));
    let missing = store.ask(events.perform(retry(9))).await;
    assert_eq!(missing, Err(PerformError::LetterNotFound { subscription: name("s"), place: place(9) }));
    healthy(&store).await;
}

/// UX-08: what was asked for is taken back, one letter by one and none of those before it; what was done about it meanwhile stays.
pub async fn a_retry_is_taken_back<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 9).await;
    let held = owned(&store).await;
    let letters = [(1, "k"), (2, "l"), (3, "k"), (4, "k"), (5, "l")]
        .map(|(at, key)| letter(&held, at, key, Some(failed("no", 1))));
    park(&store, letters.clone()).await;
    let asked = async || {
        let letters = listed(&store, LetterFilter::default().asked(true)).await;
        letters.iter().map(|one| one.place.get()).collect::<Vec<_>>()
    };
    act(&store, &events, retry(4)).await;
    let cancel = |filter, limit| Act::CancelRetries { filter, limit };
    assert_eq!(act(&store, &events, cancel(at_place(2), 9)).await.events, 0, "nobody asked for it");
    let back = events.perform(cancel(at_place(3), 9));
    let performed = store.ask(back.clone()).await.unwrap();
    assert_eq!((performed.events, asked().await, due(&store).await), (1, vec![1, 4], vec![1]));
    assert_eq!(store.ask(back).await, Ok(performed), "the same act again");
    settle(&store, &letters[0], Settling::Done).await;
    assert_eq!(
        (asked().await, due(&store).await),
        (vec![4], vec![]),
        "it waits behind the one that was taken back"
    );
    act(&store, &events, retry(3)).await;
    assert_eq!(due(&store).await, [3]);
    // Whoever had it in hand goes on.
    act(&store, &events, cancel(at_place(3), 9)).await;
    settle(&store, &letters[2], Settling::Failed(failed("again", 2))).await;
    assert_eq!((asked().await, due(&store).await), (vec![4], vec![]));
    act(&store, &events, retry(3)).await;
    act(&store, &events, retry(5)).await;
    // The oldest first, so many at a time, and nothing that was not asked for counts.
    let some = LetterFilter { subscription: Some(name("s")), ..LetterFilter::default() };
    for (limit, expected, left) in [(1, 1, &[3, 4, 5][..]), (2, 2, &[5]), (9, 1, &[]), (9, 0, &[])] {
        assert_eq!(act(&store, &events, cancel(some.asked(false), limit)).await.events, expected);
        assert_eq!(asked().await, left);
    }
    let missing = store.ask(events.perform(cancel(at_place(9), 9))).await;
    assert_eq!(missing, Err(PerformError::LetterNotFound { subscription: name("s"), place: place(9) }));
    healthy(&store).await;
}

/// The same settled again changes nothing, whether the answer was lost or not, and names the free keys again. A letter that was asked
/// for anew in between stays asked for.
pub async fn settling_again_changes_nothing<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 9).await;
    let held = owned(&store).await;
    let letters = [(1, "k"), (2, "l"), (3, "m")].map(|(at, key)| letter(&held, at, key, None));
    park(&store, letters.clone()).await;
    let again = failed("again", 2);
    let settled = vec![
        settled(&letters[0], Settling::Done),
        settled(&letters[1], Settling::Failed(again)),
        settled(&letters[2], Settling::Done),
    ];
    let request = || SettleLetters { subscription: name("s"), settled: settled.clone() };
    let first = store.ask(request()).await.unwrap();
    let mut free = [0, 2].map(|one| (letters[one].lease.partition, letters[one].key));
    free.sort_unstable();
    assert_eq!((&first.free[..], &first.refused[..]), (&free[..], &[][..]));
    assert_eq!(store.ask(request()).await, Ok(first.clone()));
    act(&store, &events, retry(2)).await;
    assert_eq!(store.ask(request()).await, Ok(first));
    assert_eq!(due(&store).await, [2]);
    assert_eq!(listed(&store, LetterFilter::default()).await.len(), 1);
    assert_eq!(
        store.ask(SettleLetters { subscription: name("s"), settled: vec![] }).await,
        Ok(Default::default())
    );
    healthy(&store).await;
}

/// Who has lost a partition parks and settles nothing of it, beside what it still has.
pub async fn lost_leases_touch_no_letters<S: StoreUnderTest>(store: S) {
    filled(&store, 9).await;
    let mut held = owned(&store).await;
    let keys = [0, 1, 2, 3].map(|partition| {
        let mut keys = (0..).map(|number| format!("key-{number}"));
        keys.find(|key| Key::of(key).partition(PARTITIONS) == partition).unwrap()
    });
    let letters =
        |held: &[_]| (1..).zip(&keys).map(|(at, key)| letter(held, at, key, None)).collect::<Vec<_>>();
    held[1].epoch += 1;
    held[3].epoch -= 1;
    let parked = ParkLetters { subscription: name("s"), letters: letters(&held) };
    assert_eq!(store.ask(parked).await, Ok(vec![1, 3]));
    assert_eq!(due(&store).await, [1, 3]);
    (held[1].epoch, held[3].epoch, held[2].epoch) = (1, 1, 7);
    park(&store, letters(&held).into_iter().filter(|one| one.lease.epoch == 1)).await;
    let settled = letters(&held).iter().map(|letter| settled(letter, Settling::Done)).collect();
    let done = store.ask(SettleLetters { subscription: name("s"), settled }).await.unwrap();
    assert_eq!(done.refused, [2]);
    assert_eq!(done.free.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 1, 3]);
    assert_eq!(due(&store).await, [3]);
    healthy(&store).await;
}

/// Dead letters are found by subscription, place, key, event, range, error and state, all together, page by page, and counted.
pub async fn filters_select_letters<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 20).await;
    let held = owned(&store).await;
    store.ask(super::subscribing::to_log("other")).await.unwrap();
    let claim = (0..PARTITIONS).collect();
    let others = leases(&store.ask(KeepLeases { claim, ..of_node("other", 1) }).await.unwrap());
    let of = |held: &[_]| {
        let one = |number: u64| NewLetter {
            event_name: if number.is_multiple_of(3) { "test.third" } else { "test.other" }.into(),
            ..letter(
                held,
                number,
                ["k", "l"][usize::from(number.is_multiple_of(2))],
                (!number.is_multiple_of(4)).then(|| failed(&format!("error {number}: a%b_c"), 1)),
            )
        };
        (1..=12).map(one).collect::<Vec<_>>()
    };
    park(&store, of(&held)).await;
    let letters = of(&others);
    assert_eq!(store.ask(ParkLetters { subscription: name("other"), letters }).await, Ok(vec![]));
    let early = LetterFilter { through: Some(place(3)), ..LetterFilter::default() };
    assert_eq!(act(&store, &events, Act::RetryLetters { filter: early, limit: 99 }).await.events, 6);
    let all = listed(&store, LetterFilter::default()).await;
    let order: Vec<_> = all.iter().map(|one| (one.subscription.to_string(), one.place.get())).collect();
    assert!(order.is_sorted() && all.len() == 24, "{order:?}");

    let mut met = 0;
    for bits in 0..512_u32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let filter = LetterFilter {
            subscription: has(0).then(|| name("other")),
            place: has(1).then(|| place(6)),
            key: has(2).then(|| "l".into()),
            event_name: has(3).then(|| "test.third".into()),
            after: has(4).then(|| place(2)),
            through: has(5).then(|| place(9)),
            error_contains: has(6).then(|| ": a%b_".into()),
            failed: has(7).then_some(has(0) || has(3)),
            asked: has(8).then_some(!has(0)),
        };
        let expected: Vec<_> = all.iter().filter(|letter| filter.matches(letter)).cloned().collect();
        met += expected.len();
        let count = store.ask(CountLetters { filter: filter.clone() }).await.unwrap();
        assert_eq!(count, u64::try_from(expected.len()).unwrap(), "{filter:?}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = ListLetters { filter: filter.clone(), after: after.clone(), limit: 5 };
            let page = store.ask(page).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.subscription.clone(), last.place));
            found.extend(page);
        }
        assert_eq!(found, expected, "{filter:?}");
    }
    assert!(met > 200, "{met}");
    for filter in [
        LetterFilter { error_contains: Some("A%".into()), ..LetterFilter::default() },
        LetterFilter { key: Some("K".into()), ..LetterFilter::default() },
        LetterFilter { subscription: Some(name("none")), ..LetterFilter::default() },
    ] {
        assert_eq!(listed(&store, filter).await, []);
    }
}

/// Discarded letters are gone, the oldest first and no more than asked for; what waited behind them follows.
pub async fn discarded_letters_are_gone<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 9).await;
    let held = owned(&store).await;
    let letters = [(1, Some(failed("no", 1))), (2, None), (3, Some(failed("no", 1))), (4, None), (5, None)];
    park(&store, letters.map(|(at, failure)| letter(&held, at, "k", failure))).await;
    assert_eq!(due(&store).await, NOTHING);
    assert_eq!(act(&store, &events, discard(1)).await.events, 1);
    assert_eq!(due(&store).await, [2]);
    assert_eq!(act(&store, &events, discard(4)).await.events, 1);
    let failed = LetterFilter { failed: Some(true), ..LetterFilter::default() };
    assert_eq!(
        act(&store, &events, Act::DiscardLetters { filter: failed.clone(), limit: 1 }).await.events,
        1
    );
    assert_eq!(act(&store, &events, Act::DiscardLetters { filter: failed, limit: 1 }).await.events, 0);
    let left = listed(&store, LetterFilter::default()).await;
    assert_eq!(left.iter().map(|one| one.place.get()).collect::<Vec<_>>(), [2, 5]);
    let all = Act::DiscardLetters { filter: LetterFilter::default(), limit: 1 };
    for expected in [1, 1, 0] {
        assert_eq!(act(&store, &events, all.clone()).await.events, expected);
        healthy(&store).await;
    }
    let partition = Key::of("k").partition(PARTITIONS);
    assert_eq!(store.ask(ReadParkedKeys { subscription: name("s"), partition }).await, Ok(vec![]));
    let missing = store.ask(events.perform(discard(1))).await;
    assert_eq!(missing, Err(PerformError::LetterNotFound { subscription: name("s"), place: place(1) }));
}

/// An edited letter holds the new data, beside its event as it was; the record of it does not hold them. Data that no event could have
/// are refused, and any for an event with a subject, whom they might be about.
pub async fn an_edited_letter_holds_other_data<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let mut personal = events.one();
    personal.subject = Some(Subject::new("ada").unwrap());
    let ids =
        put(&store, Append::to_stream(stream("a"), Any, vec![events.one(), personal, events.one()])).await;
    put(&store, events.append("gone", Any, 1)).await;
    let held = owned(&store).await;
    let letters = (1..=4).map(|at| letter(&held, at, "k", Some(failed("no", 1))));
    let letters = letters.zip(ids.iter().copied().chain([umbel_core::EventId(uuid::Uuid::max())]));
    park(&store, letters.map(|(letter, id)| NewLetter { event_id: id, ..letter })).await;
    let edit = |at, data: Option<&str>| Act::EditLetter {
        subscription: name("s"),
        place: place(at),
        data: data.map(Json::from_store),
    };
    let secret = r#"{"z": 1.50, "a": "s3cret"}"#;
    let request = events.perform(edit(1, Some(secret)));
    let performed = store.ask(request.clone()).await.unwrap();
    assert_eq!(performed.events, 1);
    assert_eq!(store.ask(request).await, Ok(performed), "sent again");
    assert_eq!(letter_at(&store, 1).await.unwrap().edited, Some(Json::from_store(secret)));
    let audit = read_whole_stream(&store, &umbel_core::StreamName::audit()).await;
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0].event_type.to_string(), "umbel.letter_edited/1");
    assert!(!audit[0].data.as_json().unwrap().as_str().contains("s3cret"), "{audit:?}");

    let (long, deep) =
        (format!("\"{}\"", "x".repeat(super::PAYLOAD_MAX_BYTES)), "[".repeat(128) + &"]".repeat(128));
    for (at, data) in [(1, "{"), (1, ""), (1, "1 2"), (1, &long), (1, &deep), (2, "1"), (4, "1")] {
        let refused = store.ask(events.perform(edit(at, Some(data)))).await;
        assert!(matches!(refused, Err(PerformError::DataRefused { .. })), "{at}: {refused:?}");
    }
    let missing = store.ask(events.perform(edit(9, Some("1")))).await;
    assert_eq!(missing, Err(PerformError::LetterNotFound { subscription: name("s"), place: place(9) }));
    assert_eq!(letter_at(&store, 1).await.unwrap().edited, Some(Json::from_store(secret)));
    act(&store, &events, edit(1, None)).await;
    assert_eq!(letter_at(&store, 1).await.unwrap().edited, None);
    healthy(&store).await;
}

/// An event that is removed for good leaves its letter behind, for whoever tries it to find out.
pub async fn a_removed_event_leaves_its_letter<S: StoreUnderTest>(store: S) {
    let events = filled(&store, 2).await;
    let held = owned(&store).await;
    park(&store, [letter(&held, 1, "k", Some(failed("no", 1))), letter(&held, 2, "k", None)]).await;
    act(&store, &events, delete("a", Removal::Hard)).await;
    let kept = listed(&store, LetterFilter::default()).await;
    assert_eq!(kept.len(), 2);
    act(&store, &events, retry(1)).await;
    assert_eq!(due(&store).await, [1]);
    healthy(&store).await;
}

/// Texts are cut to what is kept of them, in whole characters, and hold nothing that a database does not; the key stays what it is.
pub async fn long_texts_are_cut<S: StoreUnderTest>(store: S) {
    filled(&store, 3).await;
    let held = owned(&store).await;
    let (error, key) =
        ("é\0".to_owned() + &"é".repeat(ERROR_MAX_BYTES), "\0".to_owned() + &"k".repeat(KEY_MAX_BYTES));
    let new = letter(&held, 1, &key, Some(failed(&error, 1)));
    park(&store, [new.clone()]).await;
    let kept = letter_at(&store, 1).await.unwrap();
    let cut = kept.failure.unwrap().error;
    assert!(cut.starts_with("é\u{fffd}é") && cut.len() == ERROR_MAX_BYTES - 1, "{}", cut.len());
    assert_eq!((kept.key, kept.key_text.len()), (Key::of(&key), KEY_MAX_BYTES));
    let by_key =
        LetterFilter { key: Some(key), error_contains: Some("é\0é".into()), ..LetterFilter::default() };
    assert_eq!(listed(&store, by_key).await.len(), 1);
    settle(&store, &new, Settling::Failed(failed(&error, 2))).await;
    assert_eq!(letter_at(&store, 1).await.unwrap().failure.unwrap().error, cut);
}
