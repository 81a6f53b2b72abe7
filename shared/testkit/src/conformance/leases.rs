//! Leases of partitions, and the checkpoints that they let their owners move.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;
use umbel_core::{
    store::{Checkpoint, KeepLeases, Lease, LeaseState, NoteBegun, SaveCheckpoints},
    subscription::{Abandoned, Begun},
};

use super::{
    StoreUnderTest,
    subscribing::{
        LONG, PARTITIONS, healthy, leases, name, node, of_node, owned, owners, place, state, to_log,
    },
};

/// How long leases last that shall run out.
const SHORT: u64 = 30;

fn lease(partition: u32, epoch: u64) -> Lease {
    Lease { partition, epoch }
}

/// SU-17: of many nodes that claim the same partitions at once, each goes to exactly one.
pub async fn one_of_the_racing_claims_wins<S: StoreUnderTest>(store: S) {
    let store = Arc::new(store);
    store.ask(to_log("s")).await.unwrap();
    let mut tasks = JoinSet::new();
    for number in 1..=8 {
        let (store, claim) = (Arc::clone(&store), (0..PARTITIONS).collect());
        tasks.spawn(async move {
            (number, store.ask(KeepLeases { claim, ..of_node("s", number) }).await.unwrap())
        });
    }
    let answers = tasks.join_all().await;
    let (_, first) = &answers[0];
    assert_eq!(leases(first), [0, 1, 2, 3].map(|partition| lease(partition, 1)));
    for (number, answer) in &answers {
        assert_eq!(answer.partitions, first.partitions, "{number} sees who was first");
    }
    let winners: BTreeSet<_> = owners(first).into_iter().collect();
    assert_eq!(winners.len(), 1, "each takes all or nothing: {first:?}");
    let members: BTreeSet<_> = answers.iter().map(|(_, answer)| answer.members).collect();
    assert_eq!(members, (1..=8).collect(), "each counts those that came before it, and itself");
}

/// SU-17: a lease that is not renewed runs out; who takes the partition then has the next epoch, and who had it before is refused.
pub async fn a_lease_runs_out_and_another_takes_over<S: StoreUnderTest>(store: S) {
    store.ask(to_log("s")).await.unwrap();
    let short = KeepLeases { claim: vec![0, 1], lease_ms: SHORT, ..of_node("s", 1) };
    assert_eq!(leases(&store.ask(short).await.unwrap())[..2], [lease(0, 1), lease(1, 1)]);
    let long = KeepLeases { hold: vec![lease(1, 1)], ..of_node("s", 1) };
    store.ask(long).await.unwrap();
    let saved = |epoch, at| SaveCheckpoints {
        subscription: name("s"),
        checkpoints: vec![Checkpoint { partition: 0, epoch, place: place(at) }],
    };
    assert_eq!(store.ask(saved(1, 7)).await, Ok(vec![]));
    let claim = || KeepLeases { claim: vec![0, 1], ..of_node("s", 2) };
    let taken = loop {
        let answer = store.ask(claim()).await.unwrap();
        if answer.partitions[0].owner == Some(node(2)) {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((taken.partitions[0].epoch, taken.partitions[0].checkpoint), (2, place(7)), "where it stood");
    assert_eq!((taken.partitions[1].epoch, taken.partitions[1].owner), (1, Some(node(1))), "was renewed");
    assert_eq!(store.ask(saved(1, 9)).await, Ok(vec![0]));
    let (hold, release) = (vec![lease(0, 1)], vec![lease(0, 1)]);
    let late = store.ask(KeepLeases { hold, release, ..of_node("s", 1) }).await.unwrap();
    assert_eq!((late.partitions[0].epoch, late.partitions[0].owner), (2, Some(node(2))));
    assert_eq!(store.ask(saved(2, 8)).await, Ok(vec![]));
    assert_eq!(state(&store, "s").await.partitions[0].checkpoint, place(8));
}

/// A lease that has run out is renewed, with its epoch, as long as nobody has taken the partition; so do its checkpoints still move.
pub async fn a_lease_that_nobody_took_is_renewed<S: StoreUnderTest>(store: S) {
    store.ask(to_log("s")).await.unwrap();
    let short = KeepLeases { claim: vec![3], lease_ms: SHORT, ..of_node("s", 1) };
    assert_eq!(owners(&store.ask(short).await.unwrap())[3], Some(node(1)));
    while state(&store, "s").await.partitions[3].owner.is_some() {
        tokio::task::yield_now().await;
    }
    let checkpoints = vec![Checkpoint { partition: 3, epoch: 1, place: place(0) }];
    assert_eq!(store.ask(SaveCheckpoints { subscription: name("s"), checkpoints }).await, Ok(vec![]));
    let others = store.ask(KeepLeases { hold: vec![lease(3, 1)], ..of_node("s", 2) }).await.unwrap();
    assert_eq!(owners(&others)[3], None, "only by who had it");
    let renewed = store.ask(KeepLeases { hold: vec![lease(3, 1)], ..of_node("s", 1) }).await.unwrap();
    assert_eq!((renewed.partitions[3].owner, renewed.partitions[3].epoch), (Some(node(1)), 1));
}

/// A node takes partition 0 of `s`, once whoever has it gives no more sign of life; how it stands then. Its own lease is a short one.
async fn takes_over<S: StoreUnderTest>(store: &S, number: u128) -> LeaseState {
    loop {
        let claim = KeepLeases { claim: vec![0], lease_ms: SHORT, ..of_node("s", number) };
        let mut answer = store.ask(claim).await.unwrap();
        if answer.partitions[0].owner == Some(node(number)) {
            return answer.partitions.swap_remove(0);
        }
        tokio::task::yield_now().await;
    }
}

fn begun(places: &[(u64, u32)]) -> Begun {
    let mut begun = Begun::default();
    for (at, times) in places {
        for before in 0..*times {
            assert_eq!(begun.begin(place(*at)), before);
        }
    }
    begun
}

/// EH-16: leases that ran out and were taken over are counted until the checkpoint moves, or one is given back: of nobody who died, then,
/// is anything known.
pub async fn leases_that_ran_out_are_counted<S: StoreUnderTest>(store: S) {
    store.ask(to_log("s")).await.unwrap();
    for (number, leases) in [(1, 0), (2, 1), (3, 2)] {
        assert_eq!(takes_over(&store, number).await.abandoned.leases, leases);
    }
    let save = |epoch, at| SaveCheckpoints {
        subscription: name("s"),
        checkpoints: vec![Checkpoint { partition: 0, epoch, place: place(at) }],
    };
    // One that does not move tells nothing.
    assert_eq!(store.ask(save(3, 0)).await, Ok(vec![]));
    assert_eq!(takes_over(&store, 4).await.abandoned.leases, 3);
    assert_eq!(store.ask(save(4, 5)).await, Ok(vec![]));
    let taken = takes_over(&store, 5).await;
    assert_eq!((taken.abandoned.leases, taken.epoch), (1, 5));
    // Renewing is no end of a lease.
    let hold = KeepLeases { hold: vec![lease(0, 5)], ..of_node("s", 5) };
    assert_eq!(store.ask(hold).await.unwrap().partitions[0].abandoned.leases, 1);
    let release = KeepLeases { release: vec![lease(0, 5)], ..of_node("s", 5) };
    store.ask(release).await.unwrap();
    assert_eq!(takes_over(&store, 6).await.abandoned, Abandoned::default());
}

/// EH-16: what an owner has begun is noted under its lease only, and is there for whoever takes over, until a lease is given back.
pub async fn what_was_begun_is_noted<S: StoreUnderTest>(store: S) {
    store.ask(to_log("s")).await.unwrap();
    takes_over(&store, 1).await;
    let note = |epoch, partition, places: &[(u64, u32)]| {
        let (lease, begun) = (lease(partition, epoch), begun(places));
        store.ask(NoteBegun { subscription: name("s"), lease, begun })
    };
    assert_eq!(note(1, 0, &[(7, 1)]).await, Ok(true));
    assert_eq!(note(1, 0, &[(7, 2), (u64::MAX >> 1, 1)]).await, Ok(true));
    for (epoch, partition) in [(0, 0), (2, 0), (1, 99)] {
        assert_eq!(note(epoch, partition, &[(8, 1)]).await, Ok(false));
    }
    let taken = takes_over(&store, 2).await.abandoned;
    assert_eq!(taken, Abandoned { leases: 1, begun: begun(&[(7, 2), (u64::MAX >> 1, 1)]) });
    assert_eq!(note(1, 0, &[]).await, Ok(false), "it is another's");
    assert_eq!(note(2, 0, &[(7, 3)]).await, Ok(true));
    assert_eq!(takes_over(&store, 3).await.abandoned, Abandoned { leases: 2, begun: begun(&[(7, 3)]) });
    assert_eq!(note(3, 0, &[]).await, Ok(true));
    assert_eq!(takes_over(&store, 4).await.abandoned.begun, Begun::default());
    assert_eq!(note(4, 0, &[(7, 1)]).await, Ok(true));
    store.ask(KeepLeases { release: vec![lease(0, 4)], ..of_node("s", 4) }).await.unwrap();
    assert_eq!(takes_over(&store, 5).await.abandoned, Abandoned::default(), "who gave it back has ended it");
    let elsewhere = NoteBegun { subscription: name("t"), lease: lease(0, 1), begun: begun(&[(1, 1)]) };
    assert_eq!(store.ask(elsewhere).await, Ok(false));
    healthy(&store).await;
}

/// A lease that was given back is free at once and cannot be renewed; one that somebody has is not taken, by nobody.
pub async fn leases_are_given_back<S: StoreUnderTest>(store: S) {
    let mine = owned(&store).await;
    let claim = (0..PARTITIONS + 9).collect::<Vec<_>>();
    for number in [1, 2] {
        let answer = store.ask(KeepLeases { claim: claim.clone(), ..of_node("s", number) }).await.unwrap();
        assert_eq!((owners(&answer), leases(&answer)), (vec![Some(node(1)); 4], mine.clone()));
    }
    let wrong = vec![lease(0, 9), lease(0, 0), lease(77, 1)];
    let answer = store.ask(KeepLeases { release: wrong, ..of_node("s", 1) }).await.unwrap();
    assert_eq!(owners(&answer), [Some(node(1)); 4]);
    let answer = store.ask(KeepLeases { release: mine.clone(), ..of_node("s", 2) }).await.unwrap();
    assert_eq!(owners(&answer), [Some(node(1)); 4], "another's");

    let release = vec![lease(1, 1), lease(2, 1)];
    let given = store.ask(KeepLeases { release: release.clone(), ..of_node("s", 1) }).await.unwrap();
    assert_eq!(owners(&given), [Some(node(1)), None, None, Some(node(1))]);
    assert_eq!(leases(&given), mine, "their epochs stay");
    let hold = mine.clone();
    let answer = store.ask(KeepLeases { hold, ..of_node("s", 1) }).await.unwrap();
    assert_eq!(owners(&answer), owners(&given), "given back is given back");
    // All in one: what is given back can be claimed by the same, and the last of the two is asked for at once by another.
    let both = KeepLeases { release: vec![lease(0, 1)], claim: vec![0, 1], ..of_node("s", 1) };
    let answer = store.ask(both).await.unwrap();
    assert_eq!(leases(&answer)[..2], [lease(0, 2), lease(1, 2)]);
    let answer = store.ask(KeepLeases { claim: vec![1, 2], ..of_node("s", 2) }).await.unwrap();
    assert_eq!(owners(&answer), [Some(node(1)), Some(node(1)), Some(node(2)), Some(node(1))]);
    assert_eq!(answer.partitions[2].epoch, 2);
    healthy(&store).await;
}

/// Who leaves gives back all it has, whatever it names: it may have forgotten what it held when an earlier farewell was lost.
pub async fn who_leaves_leaves_nothing_behind<S: StoreUnderTest>(store: S) {
    let mine = owned(&store).await;
    let release = vec![lease(3, 1)];
    store.ask(KeepLeases { release, ..of_node("s", 1) }).await.unwrap();
    let other = store.ask(KeepLeases { claim: vec![3], ..of_node("s", 2) }).await.unwrap();
    assert_eq!(owners(&other)[3], Some(node(2)));
    let left = store.ask(KeepLeases { leave: true, ..of_node("s", 1) }).await.unwrap();
    assert_eq!((owners(&left), left.members), (vec![None, None, None, Some(node(2))], 1));
    assert_eq!(leases(&left)[..3], mine[..3], "their epochs stay");
    healthy(&store).await;
}

/// Who asks takes part, with or without a lease, until it leaves or is not heard of any more.
pub async fn members_are_counted_and_forgotten<S: StoreUnderTest>(store: S) {
    store.ask(to_log("s")).await.unwrap();
    store.ask(to_log("other")).await.unwrap();
    let members = async |request: KeepLeases| store.ask(request).await.unwrap().members;
    assert_eq!(members(of_node("s", 1)).await, 1);
    assert_eq!(members(of_node("s", 2)).await, 2);
    assert_eq!(members(of_node("s", 1)).await, 2);
    assert_eq!(members(of_node("other", 3)).await, 1);
    assert_eq!(members(KeepLeases { leave: true, ..of_node("s", 2) }).await, 1);
    assert_eq!(members(KeepLeases { leave: true, ..of_node("s", 2) }).await, 1);
    let short = KeepLeases { lease_ms: SHORT, ..of_node("s", 4) };
    assert_eq!(members(short).await, 2);
    while state(&store, "s").await.members > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(members(KeepLeases { lease_ms: LONG, ..of_node("s", 1) }).await, 1);
    assert_eq!(state(&store, "other").await.members, 1);
}

/// A checkpoint moves forward and never back; what comes with another epoch than the last is refused, beside what is not.
pub async fn checkpoints_only_move_forward<S: StoreUnderTest>(store: S) {
    let events = super::Events::default();
    super::put(&store, events.append("a", umbel_core::ExpectedVersion::Any, 9)).await;
    owned(&store).await;
    let save = async |checkpoints: &[(u32, u64, u64)]| {
        let checkpoint =
            |&(partition, epoch, at): &(u32, u64, u64)| Checkpoint { partition, epoch, place: place(at) };
        let checkpoints = checkpoints.iter().map(checkpoint).collect();
        let refused = store.ask(SaveCheckpoints { subscription: name("s"), checkpoints }).await.unwrap();
        let now = state(&store, "s").await.partitions;
        (refused, now.iter().map(|one| one.checkpoint.get()).collect::<Vec<_>>())
    };
    assert_eq!(save(&[]).await, (vec![], vec![0, 0, 0, 0]));
    assert_eq!(save(&[(0, 1, 5), (2, 1, 3)]).await, (vec![], vec![5, 0, 3, 0]));
    assert_eq!(save(&[(0, 1, 4), (2, 1, 3), (3, 1, 0)]).await, (vec![], vec![5, 0, 3, 0]));
    assert_eq!(save(&[(3, 2, 9), (1, 1, 6), (0, 0, 9), (9, 1, 9)]).await, (vec![0, 3, 9], vec![5, 6, 3, 0]));
    assert_eq!(save(&[(1, 1, 9), (1, 1, 7)]).await, (vec![], vec![5, 9, 3, 0]), "the furthest of two");
    healthy(&store).await;
}
