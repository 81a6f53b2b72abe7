//! Subscriptions: making, listing, pausing, resetting and deleting them.

use std::sync::Arc;

use tokio::task::JoinSet;
use umbel_core::{
    ExpectedVersion::Any,
    store::{
        Act, Checkpoint, KeepLeases, Lease, Leases, LetterFilter, ListSubscriptions, NoteResetsTold,
        OpenError, OpenSubscription, PARTITIONS_MAX, ParkLetters, PerformError, ReadParkedKeys, Removal,
        SOURCE_MAX_BYTES, SaveCheckpoints, SettleLetters, TakeLetters,
    },
    subscription::{Settling, Start},
    version::Place,
};

use super::{
    Events, StoreUnderTest, put, stream,
    subscribing::{
        PARTITIONS, act, at_place, failed, healthy, leases, letter, letter_at, listed, name, node, of_node,
        owned, owned_of, owners, park, place, settled, state, to_log,
    },
};

/// What is there is not changed by who opens it again, whatever they ask for; it has as many partitions as it was made with, and
/// follows what it followed.
pub async fn a_subscription_is_made_once<S: StoreUnderTest>(store: S) {
    let made = store.ask(to_log("s")).await.unwrap();
    assert_eq!((&made.name, &*made.source, &made.stream), (&name("s"), "log", &None));
    assert_eq!((made.start, made.paused, made.members), (Start::Origin, false, 0));
    let numbers: Vec<_> = made.partitions.iter().map(|one| (one.partition, one.checkpoint)).collect();
    assert_eq!(numbers, [0, 1, 2, 3].map(|number| (number, place(0))));
    assert!(made.partitions.iter().all(|one| one.owner.is_none() && one.letters == 0));

    let other = OpenSubscription { start: Start::After(place(7)), source: "other".into(), ..to_log("s") };
    assert_eq!(store.ask(other).await, Ok(made.clone()));
    let (stored, asked) = (PARTITIONS, 5);
    let differing = store.ask(OpenSubscription { partitions: asked, ..to_log("s") }).await;
    assert_eq!(differing, Err(OpenError::PartitionsDiffer { name: name("s"), stored, asked }));
    let elsewhere = store.ask(OpenSubscription { stream: Some(stream("a")), ..to_log("s") }).await;
    let (stored, asked) = ("the log".into(), "stream a".into());
    assert_eq!(elsewhere, Err(OpenError::FollowsOther { name: name("s"), stored, asked }));
    for asked in [0, PARTITIONS_MAX + 1] {
        let wrong = store.ask(OpenSubscription { partitions: asked, ..to_log("new") }).await;
        assert_eq!(wrong, Err(OpenError::WrongPartitions { asked }));
    }
    assert_eq!(state(&store, "s").await, made);

    let source = "ü".repeat(SOURCE_MAX_BYTES);
    let most = OpenSubscription { partitions: PARTITIONS_MAX, source: source.clone(), ..to_log("most") };
    let most = store.ask(most).await.unwrap();
    assert_eq!(most.partitions.len(), usize::try_from(PARTITIONS_MAX).unwrap());
    assert_eq!(most.source, source[..SOURCE_MAX_BYTES]);
    healthy(&store).await;
}

/// Where a subscription begins is decided when it is made, and kept.
pub async fn a_start_is_resolved_when_it_is_made<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 3)).await;
    put(&store, events.append("b", Any, 2)).await;
    let mut made = Vec::new();
    for (number, start, of, expected) in [
        (0, Start::Origin, None, Start::Origin),
        (1, Start::Current, None, Start::After(place(5))),
        (2, Start::Current, Some("a"), Start::After(place(3))),
        (3, Start::Current, Some("not-yet"), Start::After(place(0))),
        (4, Start::After(place(2)), Some("a"), Start::After(place(2))),
        (5, Start::After(place(4)), None, Start::After(place(4))),
        (6, Start::Origin, Some("b"), Start::Origin),
    ] {
        let request = OpenSubscription { start, stream: of.map(stream), ..to_log(&format!("s{number}")) };
        let state = store.ask(request.clone()).await.unwrap();
        assert_eq!((state.start, &state.stream), (expected, &request.stream), "{request:?}");
        let at = if let Start::After(at) = expected { at } else { place(0) };
        assert!(state.partitions.iter().all(|one| one.checkpoint == at), "{request:?}");
        made.push((request, state));
    }
    put(&store, events.append("not-yet", Any, 2)).await;
    for (request, state) in made {
        assert_eq!(store.ask(request).await, Ok(state), "what was current then");
    }
    healthy(&store).await;
}

/// Of many that open a subscription at once, one makes it, and all hear of the same.
pub async fn many_open_at_once_and_one_makes_it<S: StoreUnderTest>(store: S) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for number in 1..=8 {
        let store = Arc::clone(&store);
        let (start, source) = (Start::After(place(number)), number.to_string());
        tasks.spawn(async move { store.ask(OpenSubscription { start, source, ..to_log("s") }).await });
    }
    let answers: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let begun = answers[0].source.parse().unwrap();
    assert_eq!(answers[0].start, Start::After(place(begun)), "all of it is of one of them");
    assert_eq!(state(&*store, "s").await, answers[0]);
}

/// Subscriptions are listed by name, byte by byte, page by page.
pub async fn subscriptions_are_listed_by_name<S: StoreUnderTest>(store: S) {
    for subscription in ["b", "ä", "a", "B", "a-1", "a b"] {
        store.ask(to_log(subscription)).await.unwrap();
    }
    for limit in [1, 2, 4, 100] {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page =
                store.ask(ListSubscriptions { name: None, after: after.clone(), limit }).await.unwrap();
            assert!(page.len() <= limit.try_into().unwrap());
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            assert!(page.iter().all(|one| one.partitions.len() == 4), "{page:?}");
            names.extend(page.into_iter().map(|one| one.name.to_string()));
        }
        assert_eq!(names, ["B", "a", "a b", "a-1", "b", "ä"], "by {limit}");
    }
    let none = ListSubscriptions { name: Some(name("A")), after: None, limit: 9 };
    assert_eq!(store.ask(none).await, Ok(vec![]));
}

/// A pause is told with the leases, and takes none away.
pub async fn a_paused_subscription_keeps_its_leases<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let hold = owned(&store).await;
    let keep = || KeepLeases { hold: hold.clone(), ..of_node("s", 1) };
    for (paused, act_of) in [
        (true, Act::PauseSubscription { subscription: name("s") }),
        (true, Act::PauseSubscription { subscription: name("s") }),
        (false, Act::ResumeSubscription { subscription: name("s") }),
    ] {
        assert_eq!(act(&store, &events, act_of).await.events, 0);
        let kept = store.ask(keep()).await.unwrap();
        assert_eq!(
            (kept.paused, leases(&kept), owners(&kept)),
            (paused, hold.clone(), vec![Some(node(1)); 4])
        );
        assert_eq!(state(&store, "s").await.paused, paused);
    }
}

/// A reset moves every checkpoint, back too, takes every lease away at once and discards the dead letters.
pub async fn a_reset_begins_elsewhere<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 9)).await;
    let hold = owned(&store).await;
    let checkpoints = hold.iter().map(|lease| checkpoint(*lease, 8)).collect::<Vec<_>>();
    let save = || SaveCheckpoints { subscription: name("s"), checkpoints: checkpoints.clone() };
    assert_eq!(store.ask(save()).await, Ok(vec![]));
    let dead = [letter(&hold, 3, "k", Some(failed("no", 1))), letter(&hold, 4, "l", None)];
    for (start, expected, discarded) in [
        (Start::After(place(2)), Start::After(place(2)), 2),
        (Start::Origin, Start::Origin, 0),
        (Start::Current, Start::After(place(11)), 0),
    ] {
        if discarded > 0 {
            park(&store, dead.clone()).await;
        }
        let reset = Act::ResetSubscription { subscription: name("s"), start };
        assert_eq!(act(&store, &events, reset).await.events, discarded);
        let now = state(&store, "s").await;
        let at = if let Start::After(at) = expected { at } else { place(0) };
        assert_eq!(now.start, expected);
        assert!(now.partitions.iter().all(|one| one.checkpoint == at && one.letters == 0), "{now:?}");
        assert!(now.partitions.iter().all(|one| one.owner.is_none() && one.epoch > 1), "{now:?}");
        assert_eq!(store.ask(save()).await, Ok(vec![0, 1, 2, 3]), "its lease is gone");
        let lost = store.ask(KeepLeases { hold: hold.clone(), ..of_node("s", 1) }).await.unwrap();
        assert_eq!(owners(&lost), [None; 4]);
        healthy(&store).await;
    }
    let claim = vec![0];
    let again = store.ask(KeepLeases { claim, ..of_node("s", 1) }).await.unwrap();
    assert_eq!((again.partitions[0].epoch, again.partitions[0].checkpoint), (5, place(11)));
}

/// SU-29: a reset beyond the end of what the subscription follows is refused and nothing done or recorded; to the end is none beyond.
pub async fn a_reset_beyond_the_end_is_refused<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 3)).await;
    put(&store, events.append("b", Any, 5)).await;
    for (subscription, follows, what, end) in [
        ("log", None, "the log", 8),
        ("a", Some("a"), "stream a", 3),
        ("not-yet", Some("not-yet"), "stream not-yet", 0),
    ] {
        let open = OpenSubscription { stream: follows.map(stream), ..to_log(subscription) };
        store.ask(open).await.unwrap();
        let before = state(&store, subscription).await;
        for beyond in [place(end + 1), Place::MAX] {
            let reset =
                Act::ResetSubscription { subscription: name(subscription), start: Start::After(beyond) };
            let refused = store.ask(events.perform(reset)).await;
            let expected = PerformError::StartBeyondEnd { what: what.into(), end: place(end), start: beyond };
            assert_eq!(refused, Err(expected));
        }
        assert_eq!(state(&store, subscription).await, before);
    }
    assert_eq!(super::read_log(&store).await.len(), 8, "none is recorded");
    for (subscription, end) in [("a", 3), ("not-yet", 0), ("log", 10)] {
        let start = Start::After(place(end));
        act(&store, &events, Act::ResetSubscription { subscription: name(subscription), start }).await;
        assert_eq!(state(&store, subscription).await.start, start);
    }
    healthy(&store).await;
}

/// EH-12: what a subscription had come to is known after a reset, and rises further; also of its dead letters it is known whether they
/// were done with before. Who deletes it begins with nothing.
pub async fn a_reset_leaves_how_far_it_had_come<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 12)).await;
    let hold = owned(&store).await;
    let save = |leases: &[Lease], at| SaveCheckpoints {
        subscription: name("s"),
        checkpoints: leases.iter().map(|lease| checkpoint(*lease, at)).collect(),
    };
    let dead = async |leases: &[Lease]| {
        let letters = [5, 6].map(|at| letter(leases, at, &format!("k{at}"), Some(failed("no", 1))));
        park(&store, letters).await;
        listed(&store, LetterFilter::default()).await.into_iter().map(|one| one.replay).collect::<Vec<_>>()
    };
    assert_eq!(dead(&hold).await, [false, false], "they are parked before they are passed");
    store.ask(save(&hold, 5)).await.unwrap();
    for (resets, start, at, handled) in
        [(1, Start::Origin, 0, 5), (2, Start::Origin, 3, 5), (3, Start::After(place(9)), 11, 11)]
    {
        let reset = Act::ResetSubscription { subscription: name("s"), start };
        act(&store, &events, reset).await;
        let claim = (0..PARTITIONS).collect();
        let taken = store.ask(KeepLeases { claim, ..of_node("s", 1) }).await.unwrap();
        let hold = leases(&taken);
        assert_eq!(taken.resets, resets);
        assert!(taken.partitions.iter().all(|one| one.handled == place(5)), "{taken:?}");
        assert_eq!(dead(&hold).await, [true, false]);
        store.ask(save(&hold, at)).await.unwrap();
        let kept = store.ask(KeepLeases { hold, ..of_node("s", 1) }).await.unwrap();
        assert!(kept.partitions.iter().all(|one| one.handled == place(handled)), "{kept:?}");
    }
    healthy(&store).await;
    act(&store, &events, Act::DeleteSubscription { subscription: name("s") }).await;
    let incarnation = store.ask(to_log("s")).await.unwrap().incarnation;
    let anew = store.ask(KeepLeases { incarnation, ..of_node("s", 1) }).await.unwrap();
    assert_eq!(anew.resets, 0);
    assert!(anew.partitions.iter().all(|one| one.handled == place(0)), "{anew:?}");
}

/// EH-12: of how many resets was told is noted once and for all, goes along with another name and is nobody else's. With each reset, also
/// because its stream is gone, one more is to be told.
pub async fn resets_that_were_told_are_noted<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 2)).await;
    let open = |subscription: &str| OpenSubscription { stream: Some(stream("a")), ..to_log(subscription) };
    let incarnation = store.ask(open("s")).await.unwrap().incarnation;
    let ask = |subscription: &str, incarnation, told| {
        store.ask(NoteResetsTold { subscription: name(subscription), incarnation, told })
    };
    assert_eq!(ask("s", incarnation, 0).await, Ok(Some(0)));
    assert_eq!(ask("s", incarnation, 1).await, Ok(Some(0)), "there was none yet");
    for _ in 0..2 {
        act(&store, &events, Act::ResetSubscription { subscription: name("s"), start: Start::Origin }).await;
    }
    let (expected, removal) = (Any, Removal::Hard);
    act(&store, &events, Act::DeleteStream { stream: stream("a"), expected, removal }).await;
    for (told, noted) in [(0, 0), (1, 1), (1, 1), (0, 1), (2, 2), (1, 2), (9, 3), (u64::MAX, 3), (0, 3)] {
        assert_eq!(ask("s", incarnation, told).await, Ok(Some(noted)), "{told}");
    }
    assert_eq!(ask("s", incarnation + 1, 0).await, Ok(None));
    assert_eq!(ask("t", incarnation, 0).await, Ok(None));

    act(&store, &events, Act::ResetSubscription { subscription: name("s"), start: Start::Current }).await;
    act(&store, &events, Act::RenameSubscription { subscription: name("s"), to: name("t") }).await;
    let renamed = store.ask(open("t")).await.unwrap().incarnation;
    let leases = store.ask(KeepLeases { incarnation: renamed, ..of_node("t", 1) }).await.unwrap();
    assert_eq!(leases.resets, 4);
    assert_eq!(ask("t", renamed, 0).await, Ok(Some(3)));
    assert_eq!(ask("t", renamed, 4).await, Ok(Some(4)));
    let anew = store.ask(open("s")).await.unwrap().incarnation;
    assert_eq!(ask("s", incarnation, 0).await, Ok(None));
    assert_eq!(ask("s", anew, 1).await, Ok(Some(0)));
    act(&store, &events, Act::DeleteSubscription { subscription: name("t") }).await;
    let anew = store.ask(open("t")).await.unwrap().incarnation;
    assert_eq!(ask("t", anew, 1).await, Ok(Some(0)));
    healthy(&store).await;
}

/// SU-25: a stream that is deleted for good begins with version 1 again, and so does whatever follows it: all its events come, and
/// no old dead letter is in their way. What follows something else stays where it was, and so it does after a soft deletion.
pub async fn a_stream_deleted_for_good_begins_anew_for_its_followers<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 9)).await;
    put(&store, events.append("b", Any, 9)).await;
    let start = Start::After(place(1));
    for (subscription, of) in [("s", Some("a")), ("t", Some("a")), ("other", Some("b")), ("log", None)] {
        store.ask(OpenSubscription { start, stream: of.map(stream), ..to_log(subscription) }).await.unwrap();
    }
    let hold = owned_of(&store, "s").await;
    owned_of(&store, "other").await;
    let checkpoints = hold.iter().map(|lease| checkpoint(*lease, 8)).collect();
    let save = SaveCheckpoints { subscription: name("s"), checkpoints };
    assert_eq!(store.ask(save.clone()).await, Ok(vec![]));
    let dead = letter(&hold, 3, "k", Some(failed("no", 1)));
    park(&store, [dead.clone()]).await;
    let untouched = [state(&store, "other").await, state(&store, "log").await];

    let delete = |removal| Act::DeleteStream { stream: stream("a"), expected: Any, removal };
    let before = state(&store, "s").await;
    act(&store, &events, delete(Removal::Soft)).await;
    assert_eq!(state(&store, "s").await, before);
    assert_eq!(act(&store, &events, delete(Removal::Hard)).await.events, 9, "of the log alone");
    for subscription in ["s", "t"] {
        let now = state(&store, subscription).await;
        assert_eq!(now.start, Start::Origin);
        assert!(now.partitions.iter().all(|one| one.checkpoint == place(0) && one.letters == 0), "{now:?}");
        assert!(now.partitions.iter().all(|one| one.owner.is_none() && one.epoch > 0), "{now:?}");
        let kept = store.ask(of_node(subscription, 9)).await.unwrap();
        assert!(
            kept.partitions.iter().all(|one| one.handled == place(0)),
            "nothing of the new one: {kept:?}"
        );
    }
    assert_eq!([state(&store, "other").await, state(&store, "log").await], untouched);
    assert_eq!(store.ask(save).await, Ok(vec![0, 1, 2, 3]), "its lease is gone");
    put(&store, events.append("a", Any, 3)).await;
    let hold = owned_of(&store, "s").await;
    let anew = letter(&hold, 3, "k", Some(failed("again", 2)));
    park(&store, [anew]).await;
    let parked = letter_at(&store, 3).await.unwrap();
    assert_eq!(parked.failure.map(|failure| failure.error).as_deref(), Some("again"));
    healthy(&store).await;
}

/// SU-19, SU-24: opened again, a subscription goes on where it stood; deleted and opened again, it begins where its start says, and whoever
/// had it before is refused and told.
pub async fn a_deleted_subscription_begins_anew<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 9)).await;
    let hold = owned(&store).await;
    let save = |place| SaveCheckpoints {
        subscription: name("s"),
        checkpoints: hold.iter().map(|lease| checkpoint(*lease, place)).collect(),
    };
    assert_eq!(store.ask(save(5)).await, Ok(vec![]));
    let dead = letter(&hold, 3, "k", Some(failed("no", 1)));
    park(&store, [dead.clone()]).await;
    let release = hold.clone();
    store.ask(KeepLeases { release, leave: true, ..of_node("s", 1) }).await.unwrap();
    let again = OpenSubscription { start: Start::After(place(1)), ..to_log("s") };
    let kept = store.ask(again.clone()).await.unwrap();
    assert!(kept.partitions.iter().all(|one| one.checkpoint == place(5)), "{kept:?}");

    let delete = Act::DeleteSubscription { subscription: name("s") };
    assert_eq!(act(&store, &events, delete.clone()).await.events, 1);
    assert_eq!(store.ask(ListSubscriptions { name: None, after: None, limit: 9 }).await, Ok(vec![]));
    let refused = store.ask(events.perform(delete.clone())).await;
    assert_eq!(refused, Err(PerformError::SubscriptionNotFound(name("s"))));
    let anew = store.ask(again.clone()).await.unwrap();
    assert!(anew.partitions.iter().all(|one| one.checkpoint == place(1) && one.letters == 0), "{anew:?}");
    let claim = (0..PARTITIONS).collect::<Vec<_>>();
    let mut incarnation = anew.incarnation;
    assert!(incarnation > kept.incarnation);
    for _ in 0..2 {
        let stale = KeepLeases { hold: hold.clone(), claim: claim.clone(), ..of_node("s", 1) };
        assert_eq!(store.ask(stale).await, Ok(Leases { gone: true, ..Leases::default() }), "another one's");
        let keep = || KeepLeases { incarnation, ..of_node("s", 2) };
        let taken = store.ask(KeepLeases { claim: claim.clone(), ..keep() }).await.unwrap();
        let late = KeepLeases { release: leases(&taken), leave: true, ..of_node("s", 2) };
        assert!(store.ask(late).await.unwrap().gone, "of an earlier life");
        assert_eq!((taken.members, store.ask(keep()).await), (1, Ok(taken.clone())));
        assert_eq!(owners(&taken), [Some(node(2)); 4]);
        let old = leases(&taken).into_iter().zip(&hold).all(|(new, old)| new.epoch > old.epoch);
        assert!(old, "{taken:?}");
        assert_eq!(store.ask(save(9)).await, Ok(vec![0, 1, 2, 3]), "by who had it before");
        let parked = ParkLetters { subscription: name("s"), letters: vec![dead.clone()] };
        assert_eq!(store.ask(parked).await, Ok(vec![dead.lease.partition]));
        // And so over each further life.
        act(&store, &events, delete.clone()).await;
        assert!(store.ask(keep()).await.unwrap().gone);
        let next = store.ask(again.clone()).await.unwrap().incarnation;
        assert!(next > incarnation);
        incarnation = next;
    }
    healthy(&store).await;
}

/// SU-26: a renamed subscription goes on where it was, dead letters included; who held a lease under the old name has none any more, and the
/// old name is free. No other may have the new name. What is kept of its work stays under the name it had first; who begins anew under that
/// name shares nothing with it.
pub async fn a_renamed_subscription_goes_on<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", Any, 9)).await;
    // Leases of a life before, under what is to be the new name.
    store.ask(to_log("s")).await.unwrap();
    let mut past = owned_of(&store, "s").await;
    act(&store, &events, Act::DeleteSubscription { subscription: name("s") }).await;
    let kept_as = store.ask(to_log("old")).await.unwrap().kept_as;
    assert_eq!(kept_as, "old");
    let hold = owned_of(&store, "old").await;
    past.extend(hold.clone());
    let checkpoints: Vec<_> = hold.iter().map(|lease| checkpoint(*lease, 5)).collect();
    let save = SaveCheckpoints { subscription: name("old"), checkpoints: checkpoints.clone() };
    assert_eq!(store.ask(save).await, Ok(vec![]));
    let dead = letter(&hold, 3, "k", Some(failed("no", 1)));
    let parked = ParkLetters { subscription: name("old"), letters: vec![dead.clone()] };
    assert_eq!(store.ask(parked).await, Ok(vec![]));

    let rename = |from: &str, to: &str| Act::RenameSubscription { subscription: name(from), to: name(to) };
    let taken = store.ask(events.perform(rename("old", "old"))).await;
    assert_eq!(taken, Err(PerformError::SubscriptionExists(name("old"))));
    let done = events.perform(rename("old", "s"));
    let renamed = store.ask(done.clone()).await.unwrap();
    assert_eq!((renamed.events, store.ask(done).await), (1, Ok(renamed)), "once");
    let gone = store.ask(events.perform(rename("old", "other"))).await;
    assert_eq!(gone, Err(PerformError::SubscriptionNotFound(name("old"))));

    let kept = store.ask(to_log("s")).await.unwrap();
    assert_eq!(kept.kept_as, kept_as);
    assert!(kept.partitions.iter().all(|one| one.checkpoint == place(5) && one.owner.is_none()), "{kept:?}");
    assert!(past.iter().all(|lease| kept.partitions.iter().all(|one| one.epoch > lease.epoch)), "{kept:?}");
    assert_eq!((kept.members, kept.partitions.iter().map(|one| one.letters).sum::<u64>()), (0, 1));
    let late = SaveCheckpoints { subscription: name("s"), checkpoints };
    assert_eq!(store.ask(late).await, Ok(vec![0, 1, 2, 3]), "by who had it under the old name");
    let letter = letter_at(&store, 3).await.unwrap();
    assert_eq!((letter.subscription, letter.event_id), (name("s"), dead.event_id));

    let anew = store.ask(to_log("old")).await.unwrap();
    assert!(anew.partitions.iter().all(|one| one.checkpoint == place(0) && one.letters == 0), "{anew:?}");
    assert!(anew.kept_as != kept_as && anew.kept_as.starts_with("old"), "{anew:?}");
    let taken = store.ask(events.perform(rename("old", "s"))).await;
    assert_eq!(taken, Err(PerformError::SubscriptionExists(name("s"))));
    // There and back again, deleted and made anew: it is the same one.
    act(&store, &events, Act::DeleteSubscription { subscription: name("old") }).await;
    act(&store, &events, rename("s", "old")).await;
    act(&store, &events, Act::DeleteSubscription { subscription: name("old") }).await;
    assert_eq!(store.ask(to_log("old")).await.unwrap().kept_as, kept_as);
    healthy(&store).await;
}

/// What is not there has no leases and no letters, and cannot be acted on.
pub async fn an_unknown_subscription_is_refused<S: StoreUnderTest>(store: S) {
    let (events, subscription) = (Events::default(), name("none"));
    let lease = Lease { partition: 2, epoch: 0 };
    let keep = KeepLeases { hold: vec![lease], claim: vec![0], release: vec![lease], ..of_node("none", 1) };
    let leases = store.ask(keep).await.unwrap();
    assert_eq!(leases, Leases { gone: true, ..Leases::default() });
    let letter = letter(&[lease; 4], 1, "k", None);
    let checkpoints = vec![checkpoint(lease, 1)];
    assert_eq!(
        store.ask(SaveCheckpoints { subscription: subscription.clone(), checkpoints }).await,
        Ok(vec![2])
    );
    let letters = vec![letter.clone()];
    assert_eq!(store.ask(ParkLetters { subscription: subscription.clone(), letters }).await, Ok(vec![2]));
    let settled = vec![settled(&letter, Settling::Done)];
    let settled = store.ask(SettleLetters { subscription: subscription.clone(), settled }).await.unwrap();
    assert_eq!((settled.free, settled.refused), (vec![], vec![2]));
    let keys = ReadParkedKeys { subscription: subscription.clone(), partition: 2 };
    assert_eq!(store.ask(keys).await, Ok(vec![]));
    let take = TakeLetters { subscription: subscription.clone(), partitions: vec![2], limit: 9 };
    assert_eq!(store.ask(take).await, Ok(vec![]));

    let filter = LetterFilter { subscription: Some(subscription.clone()), ..at_place(1) };
    for act in [
        Act::PauseSubscription { subscription: subscription.clone() },
        Act::ResumeSubscription { subscription: subscription.clone() },
        Act::ResetSubscription { subscription: subscription.clone(), start: Start::Current },
        Act::RenameSubscription { subscription: subscription.clone(), to: name("other") },
        Act::DeleteSubscription { subscription: subscription.clone() },
        Act::RetryLetters { filter: filter.clone(), limit: 1 },
        Act::DiscardLetters { filter, limit: 1 },
        Act::EditLetter { subscription: subscription.clone(), place: place(1), data: None },
    ] {
        let refused = store.ask(events.perform(act.clone())).await;
        assert_eq!(refused, Err(PerformError::SubscriptionNotFound(subscription.clone())), "{act:?}");
    }
    assert_eq!(super::read_log(&store).await, []);
}

fn checkpoint(Lease { partition, epoch }: Lease, at: u64) -> Checkpoint {
    Checkpoint { partition, epoch, place: place(at) }
}
