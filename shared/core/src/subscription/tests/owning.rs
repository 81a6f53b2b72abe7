//! Leases: who owns what, from when, until when, and what becomes of it.

use super::rig::{A, B, INCARNATION, NODE, OTHER, Rig, leases, options, place};
use crate::{
    store::{KeepLeases, LEASE_MAX_MS, Lease, Leases},
    subscription::{Effect, Input, NodeId, Options, Verdict},
};

fn lease(partition: u32, epoch: u64) -> Lease {
    Lease { partition, epoch }
}

fn stand(members: u32, states: &[(Option<NodeId>, u64)]) -> Leases {
    let mut stand = leases(u32::try_from(states.len()).unwrap(), None, 0);
    stand.members = members;
    for (state, (owner, epoch)) in stand.partitions.iter_mut().zip(states) {
        state.owner = *owner;
        state.epoch = *epoch;
    }
    stand
}

/// SU-17: of two nodes one is active; the other asks again and again, and takes over from the stored checkpoint once the lease has run
/// out.
#[test]
fn a_second_node_takes_over_when_the_lease_runs_out() {
    let mut rig = Rig::idle(options());
    rig.join(A, 9);
    assert_eq!((rig.lease().claim, rig.lease().hold), (vec![], vec![]));
    for _ in 0..3 {
        rig.tell(Input::Leased(stand(2, &[(Some(OTHER), 4)])));
        assert_eq!((rig.fetch(), rig.machine.owned().count()), (None, 0));
        rig.after(999);
        assert_eq!(rig.effects, []);
        rig.after(1);
        assert!(rig.lease().claim.is_empty());
    }
    let mut free = stand(1, &[(None, 4)]);
    free.partitions[0].checkpoint = place(7);
    rig.tell(Input::Leased(free.clone()));
    assert_eq!(rig.lease().claim, [0]);
    free.partitions[0].owner = Some(NODE);
    free.partitions[0].epoch = 5;
    rig.tell(Input::Leased(free));
    assert_eq!((rig.fetch(), rig.machine.owned().next()), (Some(place(7)), Some(lease(0, 5))));
}

/// SU-18: past the end of its lease, counted from when it was asked for, an owner sends and saves nothing; once somebody else has it,
/// what consumers hold is theirs no longer; and when it is won again, what lies behind the stored checkpoint is sent.
#[test]
fn an_owner_that_slept_past_its_lease_notices() {
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..options() }, &[2], &["a", "b", "c", "d"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2])]);
    rig.now += 3000;
    rig.ack(A, 1);
    assert_eq!((rig.sent(), rig.saves()), (vec![], None));
    assert_eq!(rig.lease().hold, [lease(0, 1)]);
    rig.after(10);
    assert_eq!(rig.effects, []);
    let lost = stand(1, &[(Some(OTHER), 2)]);
    let revoked = Effect::Revoke { consumer: A, places: vec![place(2)] };
    assert_eq!(rig.tell(Input::Leased(lost)).first(), Some(&revoked));
    assert_eq!(rig.ack(A, 2), [Effect::NotHeld { consumer: A, place: place(2) }]);
    assert_eq!(rig.machine.buffered(), 0);
    rig.after(1000);
    let mut free = stand(1, &[(None, 2)]);
    rig.tell(Input::Leased(free.clone()));
    free.partitions[0].owner = Some(NODE);
    free.partitions[0].epoch = 3;
    free.partitions[0].checkpoint = place(3);
    rig.tell(Input::Leased(free));
    assert_eq!(rig.fetch(), Some(place(3)));
    rig.fetched(4, &["d"]);
    assert_eq!(rig.sent(), [(A, vec![4])]);
}

/// What is a replay is judged by the furthest checkpoint that the store told last: one that arrived late, of a worker of before, counts
/// from the next renewal on.
#[test]
fn a_late_checkpoint_counts_once_the_store_tells_of_it() {
    let mut rig = Rig::with(options(), &[1], &["a", "a", "a"]);
    let replays = |rig: &Rig| -> Vec<(u64, bool)> {
        let batches = rig.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver { batch, .. } => Some(batch),
            _ => None,
        });
        batches.flatten().map(|one| (one.item.place.get(), one.replay)).collect()
    };
    assert_eq!(replays(&rig), [(1, false)]);
    rig.after(1000);
    assert_eq!(rig.lease().hold, [lease(0, 1)]);
    let mut renewed = stand(1, &[(Some(NODE), 1)]);
    (renewed.partitions[0].checkpoint, renewed.partitions[0].handled) = (place(2), place(2));
    rig.tell(Input::Leased(renewed));
    rig.ack(A, 1);
    assert_eq!(replays(&rig), [(2, true)]);
    rig.ack(A, 2);
    assert_eq!(replays(&rig), [(3, false)]);
}

/// A lease that nobody took meanwhile goes on when it is renewed, and what was done in between is saved.
#[test]
fn a_lease_that_nobody_took_goes_on() {
    let mut rig = Rig::with(options(), &[2], &["a", "b", "c", "d"]);
    rig.after(1000);
    rig.tell(Input::LeaseFailed);
    rig.after(1999);
    rig.ack(A, 2);
    assert_eq!(rig.sent(), [(A, vec![3, 4])]);
    rig.after(1);
    rig.ack(A, 4);
    assert_eq!(rig.saves(), None);
    rig.after(300);
    assert_eq!(rig.saves(), None);
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1)])));
    rig.after(200);
    assert_eq!(rig.saves(), Some(vec![4]));
}

/// The lease counts from the request: an answer that came late is worth less.
#[test]
fn a_late_answer_does_not_make_a_lease_longer() {
    let mut rig = Rig::with(options(), &[1], &["a", "a", "a"]);
    rig.after(1000);
    assert_eq!(rig.lease().hold, [lease(0, 1)]);
    rig.after(1900);
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1)])));
    rig.now = 10_000 + 3999;
    rig.ack(A, 1);
    assert_eq!(rig.sent(), [(A, vec![2])]);
    rig.now += 1;
    rig.ack(A, 2);
    assert_eq!(rig.sent(), []);
}

/// A refusal says that the lease is lost, before any answer to a request for leases does.
#[test]
fn a_refused_checkpoint_loses_the_partition() {
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..options() }, &[2], &["a", "b", "c"]);
    rig.ack(A, 1);
    rig.tell(Input::Saved { refused: vec![0] });
    let revoked = Effect::Revoke { consumer: A, places: vec![place(2), place(3)] };
    assert_eq!(rig.effects.first(), Some(&revoked));
    assert_eq!(rig.lease().hold, []);
}

/// When a second node appears, what is beyond the share is given back as soon as nothing of it is in anybody's hands and its
/// checkpoint is saved; until then nothing more of it is sent.
#[test]
fn a_second_node_gets_its_share() {
    // Events of the two partitions by turns.
    let of = |partition| {
        let names = (0..).map(|number| format!("key-{number}"));
        names.filter(move |name| super::rig::key(name).partition(2) == partition)
    };
    let keys: Vec<_> = of(0).zip(of(1)).take(10).flat_map(|(one, other)| [one, other]).collect();
    let log: Vec<_> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::with(Options { partitions: 2, ..options() }, &[4], &log);
    let held = rig.sent()[0].1.clone();
    rig.after(1000);
    // The second partition stands before event 2, its first.
    assert_eq!(rig.saves(), Some(vec![1]));
    rig.tell(Input::Saved { refused: Vec::new() });
    rig.tell(Input::Leased(stand(2, &[(Some(NODE), 1), (Some(NODE), 1)])));
    assert_eq!(rig.effects, [Effect::Wake { at: 12_000 }]);
    let place_of = |at: u64| super::rig::key(log[usize::try_from(at - 1).unwrap()]).partition(2);
    let mut saved = Vec::new();
    for at in &held {
        let effects = rig.ack(A, *at).to_vec();
        let sent = rig.sent();
        assert!(sent.iter().all(|(_, places)| places.iter().all(|at| place_of(*at) == 0)), "{effects:?}");
        saved.extend(rig.saves().unwrap_or_default());
    }
    assert!(!saved.is_empty() && saved.len() <= 2, "{saved:?}");
    rig.tell(Input::Saved { refused: Vec::new() });
    assert_eq!((rig.lease().hold, rig.lease().release), (vec![lease(0, 1)], vec![lease(1, 1)]));
    rig.tell(Input::Leased(stand(2, &[(Some(NODE), 1), (None, 1)])));
    for _ in 0..10 {
        rig.after(1000);
        assert_eq!((rig.lease().claim, rig.lease().release), (vec![], vec![]));
        rig.tell(Input::Leased(stand(2, &[(Some(NODE), 1), (Some(OTHER), 2)])));
    }
}

/// SU-16: what was given back by a request of which nobody knows what became of it is not used again under that lease, for the request may
/// still be carried out: it is given back once more, and claimed anew if it is wanted after all.
#[test]
fn what_was_given_back_is_claimed_anew() {
    let mut rig = Rig::with(Options { partitions: 2, ..options() }, &[4], &[]);
    rig.after(1000);
    let both = || [(Some(NODE), 1), (Some(NODE), 1)];
    rig.tell(Input::Leased(stand(2, &both())));
    assert_eq!((rig.lease().hold, rig.lease().release), (vec![lease(0, 1)], vec![lease(1, 1)]));
    rig.tell(Input::LeaseFailed);
    rig.after(1000);
    for _ in 0..2 {
        assert_eq!((rig.lease().hold, rig.lease().release), (vec![lease(0, 1)], vec![lease(1, 1)]));
        // The other node is gone.
        rig.tell(Input::Leased(stand(1, &both())));
        assert_eq!(rig.machine.owned().collect::<Vec<_>>(), [lease(0, 1)]);
    }
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1), (None, 1)])));
    assert_eq!((rig.lease().claim, rig.lease().release), (vec![1], vec![]));
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1), (Some(NODE), 2)])));
    assert_eq!(rig.machine.owned().collect::<Vec<_>>(), [lease(0, 1), lease(1, 2)]);
}

/// SU-17: a lease that was held until an operator took all away is claimed as soon as that is known, and not with the next renewal; one
/// that was claimed just now and not granted waits for that.
#[test]
fn what_a_reset_took_away_is_claimed_at_once() {
    let mut rig = Rig::with(options(), &[1], &["a", "a"]);
    rig.tell(Input::Changed);
    assert_eq!((rig.lease().hold, rig.lease().claim), (vec![lease(0, 1)], vec![]));
    rig.tell(Input::Leased(stand(1, &[(None, 2)])));
    assert_eq!((rig.lease().hold, rig.lease().claim), (vec![], vec![0]));
    rig.tell(Input::Leased(stand(1, &[(None, 2)])));
    assert!(rig.effects.iter().all(|effect| !matches!(effect, Effect::Lease(_))), "{:?}", rig.effects);
    rig.after(1000);
    assert_eq!(rig.lease().claim, [0]);
}

/// SU-16: a claim whose answer was lost, or of a machine before this one, is ours all the same; it is given back and claimed anew in one
/// request before it is used, so that nothing that was asked for under the epoch before is of any effect any more.
#[test]
fn a_claim_whose_answer_was_lost_is_found_again() {
    let mut rig = Rig::idle(options());
    rig.join(B, 9);
    rig.tell(Input::Leased(stand(1, &[(None, 0)])));
    assert_eq!(rig.lease().claim, [0]);
    rig.tell(Input::LeaseFailed);
    rig.after(100);
    assert!(rig.lease().claim.is_empty());
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1)])));
    let KeepLeases { hold, release, claim, .. } = rig.lease();
    assert_eq!((rig.fetch(), hold, release, claim), (None, vec![], vec![lease(0, 1)], vec![0]));
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 2)])));
    assert_eq!(rig.fetch(), Some(place(0)));
}

/// Leases are asked for again after a third of their time at most, however long the pauses for everything else: a store that was away for a
/// moment costs no partition.
#[test]
fn long_pauses_cost_no_lease() {
    let long = Options { store_retry_min_ms: 60_000, store_retry_max_ms: 60_000, ..options() };
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..long }, &[9], &["a"]);
    rig.ack(A, 1);
    assert_eq!(rig.saves(), Some(vec![1]));
    rig.tell(Input::SaveFailed);
    rig.after(1000);
    rig.tell(Input::LeaseFailed);
    rig.after(999);
    assert!(!rig.effects.iter().any(|effect| matches!(effect, Effect::Lease(_))));
    rig.after(1);
    assert_eq!(rig.lease().hold, [lease(0, 1)]);
    for _ in 0..57 {
        rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1)])));
        rig.after(1000);
        assert_eq!(rig.saves(), None);
    }
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1)])));
    rig.after(1000);
    assert_eq!(rig.saves(), Some(vec![1]));
}

/// While an operator has it paused, leases are kept, nothing is read and nothing sent; what is done is saved.
#[test]
fn a_paused_subscription_keeps_its_leases_and_sends_nothing() {
    let mut rig = Rig::with(options(), &[1], &["a", "b", "c"]);
    rig.after(1000);
    let mut paused = stand(1, &[(Some(NODE), 1)]);
    paused.paused = true;
    rig.tell(Input::Leased(paused));
    assert!(rig.machine.is_paused());
    rig.ack(A, 1);
    rig.tell(Input::Head(place(9)));
    assert_eq!((rig.sent(), rig.fetch()), (vec![], None));
    rig.after(200);
    assert_eq!(rig.saves(), Some(vec![1]));
    rig.after(800);
    assert_eq!(rig.lease().hold, [lease(0, 1)]);
    rig.tell(Input::Leased(stand(1, &[(Some(NODE), 1)])));
    assert_eq!(rig.sent(), [(A, vec![2])]);
}

/// A lease lasts no longer than the store lets it, whatever the options say.
#[test]
fn a_lease_lasts_no_longer_than_the_store_lets_it() {
    for (late, sent) in [(1, vec![(A, vec![2])]), (0, vec![])] {
        let long = Options { lease_ms: 10 * LEASE_MAX_MS, ..options() };
        let mut rig = Rig::with(long, &[1], &["a", "a"]);
        rig.now += LEASE_MAX_MS - late;
        rig.ack(A, 1);
        assert_eq!(rig.sent(), sent);
        assert_eq!(rig.lease().lease_ms, LEASE_MAX_MS);
    }
}

/// Word that something changed is worth one request at once, and one more after the one that is under way, which may have been too
/// early to tell.
#[test]
fn word_of_a_change_is_followed_at_once() {
    let mut rig = Rig::idle(options());
    rig.tell(Input::Changed);
    assert!(rig.lease().claim.is_empty());
    assert_eq!(rig.tell(Input::Changed), []);
    rig.tell(Input::Leased(stand(2, &[(Some(OTHER), 1)])));
    assert!(rig.lease().claim.is_empty());
    rig.tell(Input::Leased(stand(2, &[(Some(OTHER), 1)])));
    assert_eq!(rig.after(10), []);
    rig.tell(Input::Changed);
    assert!(rig.lease().claim.is_empty());
    rig.tell(Input::Leased(stand(1, &[(None, 1)])));
    assert_eq!(rig.lease().claim, [0]);
}

/// SU-24: an owner whose subscription was deleted, and perhaps made anew in another shape, holds on to nothing: whoever handles an
/// event is told, why it ends is said, and nothing more is asked for or saved.
#[test]
fn a_deleted_subscription_ends_its_owner() {
    let of_two = Options { partitions: 2, ..options() };
    let mut rig = Rig::with(of_two, &[9], &["a", "b", "c"]);
    let (consumer, held) = rig.sent()[0].clone();
    rig.ack(A, 1);
    rig.after(1000);
    assert_eq!(rig.lease().incarnation, INCARNATION);
    let mut gone = stand(1, &[(Some(NODE), 9)]);
    gone.gone = true;
    rig.tell(Input::Leased(gone));
    let (revoked, last) = rig.effects.split_at(rig.effects.len() - 2);
    assert_eq!(last, [Effect::Gone, Effect::Stopped]);
    let mut places: Vec<_> = Vec::new();
    for effect in revoked {
        let Effect::Revoke { consumer: whom, places: of_one } = effect else { panic!("{effect:?}") };
        assert_eq!(*whom, consumer);
        places.extend(of_one.iter().map(|place| place.get()));
    }
    places.sort_unstable();
    assert_eq!((places.as_slice(), held.len()), (&held[1..], 3));
    assert!(rig.machine.has_stopped());
    assert_eq!((rig.machine.owned().count(), rig.machine.buffered()), (0, 0));
    assert_eq!(rig.after(60_000), []);
}

/// One that is being left is not missed.
#[test]
fn who_leaves_a_deleted_subscription_has_left() {
    let mut rig = Rig::new(options());
    rig.tell(Input::Stop);
    assert!(rig.lease().leave);
    rig.tell(Input::Leased(Leases { gone: true, ..Leases::default() }));
    assert_eq!(rig.effects, [Effect::Stopped]);
}

/// Whatever a store says, nothing breaks and nothing is asked in a loop.
#[test]
fn odd_answers_do_no_harm() {
    let odd = |members, partition, epoch, owner| {
        let mut odd = stand(members, &[(owner, epoch)]);
        odd.partitions[0].partition = partition;
        odd
    };
    let none = Leases::default();
    for answer in
        [none, odd(0, 0, 0, None), odd(9, 77, 3, None), odd(0, 77, 3, Some(NODE)), odd(0, 0, 9, Some(OTHER))]
    {
        let mut rig = Rig::idle(options());
        rig.tell(Input::Saved { refused: vec![0, 5] });
        rig.tell(Input::Parked { refused: vec![0, 5] });
        let mut asked = 0;
        for _ in 0..10 {
            if rig.effects.iter().any(|effect| matches!(effect, Effect::Lease(_))) {
                asked += 1;
                rig.tell(Input::Leased(answer.clone()));
            }
            rig.tell(Input::Fetched { items: Vec::new(), scanned_to: place(1), head: place(2) });
            rig.fail(A, 1, Verdict::Park);
        }
        assert!(asked <= 2, "{answer:?} leads to {asked} requests at once");
    }
}
