//! Acts on many dead letters: chunk by chunk, each a transaction and a record of its own.

use std::collections::BTreeMap;

use umbel_core::{
    StreamName,
    store::{Act, ActRecord, Failure, LetterFilter, NewLetter},
};

use super::{
    Events, StoreUnderTest, put, read_whole_stream,
    subscribing::{act, at_place, due, failed, healthy, letter, listed, owned, park},
};

/// Letters of one subscription.
const LETTERS: u64 = 30;

/// How many one act is about at most.
const CHUNK: u32 = 4;

/// A log and a letter for each of its events, of three keys in between one another.
async fn filled<S: StoreUnderTest>(store: &S, failure: impl Fn(u64) -> Option<Failure>) -> Events {
    let events = Events::default();
    let count = usize::try_from(LETTERS).unwrap();
    put(store, events.append("a", umbel_core::ExpectedVersion::Any, count)).await;
    let held = owned(store).await;
    let letters: Vec<NewLetter> =
        (1..=LETTERS).map(|at| letter(&held, at, &format!("key-{}", at % 3), failure(at))).collect();
    park(store, letters).await;
    events
}

/// Does the same again until nothing is left to do; how many each was about.
async fn again_and_again<S: StoreUnderTest>(store: &S, events: &Events, wanted: &Act) -> Vec<u64> {
    let mut chunks = Vec::new();
    loop {
        match act(store, events, wanted.clone()).await.events {
            0 => return chunks,
            letters => chunks.push(letters),
        }
        healthy(store).await;
    }
}

/// What the audit says of these acts: how many letters each was about.
async fn recorded<S: StoreUnderTest>(store: &S, wanted: &Act) -> Vec<u64> {
    let audit = read_whole_stream(store, &StreamName::audit()).await;
    let records = audit.iter().map(|event| event.data.decode::<ActRecord>().unwrap());
    records.filter(|record| record.act == *wanted).map(|record| record.events).collect()
}

/// For each key, whether its letters were asked for, in order.
async fn asked<S: StoreUnderTest>(store: &S) -> BTreeMap<String, Vec<bool>> {
    let mut asked = BTreeMap::<_, Vec<_>>::new();
    for letter in listed(store, LetterFilter::default()).await {
        asked.entry(letter.key_text).or_default().push(letter.retry);
    }
    asked
}

/// Of no key is a letter asked for, and one before it is not.
async fn in_order<S: StoreUnderTest>(store: &S) {
    for (key, asked) in asked(store).await {
        assert!(asked.is_sorted_by_key(|asked| !asked), "{key}: {asked:?}");
    }
}

/// UX-08: Each act asks for no more than its limit. Interrupted after any of them, whoever does it again goes on where the last one
/// ended, and no letter is asked for before those of its key that are in front of it. The audit has each chunk with what it did.
pub async fn many_letters_are_asked_for_in_chunks<S: StoreUnderTest>(store: S) {
    let events = filled(&store, |_| Some(failed("no", 1))).await;
    let all = Act::RetryLetters { filter: LetterFilter::default(), limit: CHUNK };
    let mut places = Vec::new();
    for _ in 0..3 {
        assert_eq!(act(&store, &events, all.clone()).await.events, u64::from(CHUNK));
        in_order(&store).await;
        let asked = listed(&store, LetterFilter::default()).await.into_iter().filter(|letter| letter.retry);
        places = asked.map(|letter| letter.place.get()).collect();
    }
    assert_eq!(places, (1..=12).collect::<Vec<_>>(), "the oldest first");
    let rest = again_and_again(&store, &events, &all).await;
    assert_eq!(rest, [4, 4, 4, 4, 2]);
    assert!(asked(&store).await.values().flatten().all(|asked| *asked));
    assert_eq!(due(&store).await, [1, 2, 3]);
    assert_eq!(recorded(&store, &all).await, [4, 4, 4, 4, 4, 4, 4, 2, 0]);
}

/// UX-08: A letter that is far behind in its queue takes along those before it, the oldest first, and no more of them at once than the limit
/// allows; other keys are left alone.
pub async fn what_is_before_a_letter_is_asked_for_in_chunks<S: StoreUnderTest>(store: S) {
    let events = filled(&store, |at| (at < 4).then(|| failed("no", 1))).await;
    let last = Act::RetryLetters { filter: at_place(LETTERS), limit: CHUNK };
    assert_eq!(act(&store, &events, last.clone()).await.events, 4);
    in_order(&store).await;
    assert_eq!(due(&store).await, [3], "its first");
    assert_eq!(again_and_again(&store, &events, &last).await, [4, 2]);
    let asked = asked(&store).await;
    assert!(
        asked.iter().all(|(key, asked)| asked.iter().all(|asked| *asked == (key == "key-0"))),
        "{asked:?}"
    );
    assert_eq!(recorded(&store, &last).await, [4, 4, 2, 0]);
}

/// UX-08: Each act discards no more than its limit, the oldest first, and only what its filter means; the audit has each chunk.
pub async fn many_letters_are_discarded_in_chunks<S: StoreUnderTest>(store: S) {
    let error = |at: u64| if at.is_multiple_of(2) { "even" } else { "odd" };
    let events = filled(&store, |at| Some(failed(error(at), 1))).await;
    let even = LetterFilter { error_contains: Some("even".into()), ..LetterFilter::default() };
    let even = Act::DiscardLetters { filter: even, limit: CHUNK };
    assert_eq!(act(&store, &events, even.clone()).await.events, 4);
    let first = listed(&store, LetterFilter::default()).await;
    let first = first.iter().take(6).map(|letter| letter.place.get()).collect::<Vec<_>>();
    assert_eq!(first, [1, 3, 5, 7, 9, 10]);
    assert_eq!(again_and_again(&store, &events, &even).await, [4, 4, 3]);
    let left = listed(&store, LetterFilter::default()).await;
    assert_eq!(left.len(), 15);
    assert!(left.iter().all(|letter| letter.failure.as_ref().unwrap().error == "odd"), "{left:?}");
    assert_eq!(recorded(&store, &even).await, [4, 4, 4, 3, 0]);
    healthy(&store).await;
}
