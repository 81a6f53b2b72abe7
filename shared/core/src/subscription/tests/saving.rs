//! When checkpoints are saved, and how far they go.

use super::rig::{A, B, NODE, Rig, leases, options, place};
use crate::{
    store::Checkpoint,
    subscription::{Effect, Input, Options, Verdict},
};

/// SU-06: what consumers acknowledge in any order moves the checkpoint up to the first event that is not done; who begins there again
/// is sent all that lies behind.
#[test]
fn a_checkpoint_stays_before_the_first_event_that_is_not_done() {
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..options() }, &[2, 2], &["a", "b", "c", "d"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2]), (B, vec![3, 4])]);
    rig.ack(B, 4);
    assert_eq!(rig.saves(), None);
    rig.ack(A, 1);
    assert_eq!(rig.saves(), Some(vec![1]));

    let mut next = Rig::idle(options());
    next.join(A, 9);
    let mut states = leases(1, None, 1);
    states.partitions[0].checkpoint = place(1);
    next.tell(Input::Leased(states.clone()));
    states.partitions[0].owner = Some(NODE);
    next.tell(Input::Leased(states));
    assert_eq!(next.fetch(), Some(place(1)));
    next.fetched(2, &["b", "c", "d"]);
    assert_eq!(next.sent(), [(A, vec![2, 3, 4])]);
}

/// SU-07: a checkpoint is saved after so many events, after so much time, and on stopping; never without having moved, and one at a
/// time.
#[test]
fn a_checkpoint_is_saved_after_a_number_a_time_and_on_stopping() {
    let options = Options { checkpoint_after: 3, checkpoint_within_ms: 500, ..options() };
    let log = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut rig = Rig::with(options, &[9], &log);
    rig.ack(A, 2);
    assert_eq!(rig.saves(), None);
    rig.ack(A, 3);
    assert_eq!(rig.saves(), Some(vec![3]));
    rig.ack(A, 6);
    assert_eq!(rig.saves(), None);
    rig.tell(Input::Saved { refused: Vec::new() });
    assert_eq!(rig.saves(), Some(vec![6]));
    rig.tell(Input::Saved { refused: Vec::new() });
    rig.ack(A, 7);
    rig.after(499);
    assert_eq!(rig.saves(), None);
    rig.after(1);
    assert_eq!(rig.saves(), Some(vec![7]));
    rig.tell(Input::Saved { refused: Vec::new() });
    rig.after(400);
    assert_eq!(rig.saves(), None);
    rig.ack(A, 8);
    rig.tell(Input::Stop);
    assert_eq!(rig.saves(), Some(vec![8]));
}

/// SU-08: when a selector lets nothing through, the checkpoint moves all the same.
#[test]
fn the_checkpoint_moves_past_what_is_not_selected() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    rig.ack(A, 1);
    rig.tell(Input::Head(place(500)));
    rig.tell(Input::Fetched { items: Vec::new(), scanned_to: place(400), head: place(500) });
    assert_eq!(rig.fetch(), Some(place(400)));
    rig.tell(Input::Fetched { items: Vec::new(), scanned_to: place(500), head: place(500) });
    assert_eq!(rig.fetch(), None);
    rig.after(200);
    assert_eq!(rig.saves(), Some(vec![500]));
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(500))]);
}

/// A save that failed is repeated, with what was done meanwhile.
#[test]
fn a_failed_save_is_repeated() {
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..options() }, &[9], &["a", "b"]);
    rig.ack(A, 1);
    assert_eq!(rig.saves(), Some(vec![1]));
    rig.tell(Input::SaveFailed);
    rig.ack(A, 2);
    assert_eq!(rig.saves(), None);
    rig.after(100);
    assert_eq!(rig.saves(), Some(vec![2]));
}

/// A key that waits for another try holds the checkpoint and nothing else; what is remembered meanwhile stays within bounds.
#[test]
fn others_go_on_while_one_key_waits() {
    let options = Options { buffer_max: 4, checkpoint_after: 1, lease_ms: 1_000_000, ..options() };
    let mut rig = Rig::with(options, &[9], &["a"]);
    rig.fail(A, 1, Verdict::Retry { after_ms: 500_000 });
    for at in 2..200 {
        rig.tell(Input::Head(place(at)));
        rig.fetched(at, &["b"]);
        assert_eq!(rig.sent(), [(A, vec![at])]);
        rig.ack(A, at);
        assert_eq!((rig.saves(), rig.machine.buffered()), (None, 1));
    }
    rig.after(500_000);
    assert_eq!(rig.sent(), [(A, vec![1])]);
    rig.ack(A, 1);
    assert_eq!(rig.effects, [Effect::Save(vec![Checkpoint { partition: 0, epoch: 1, place: place(199) }])]);
}
