//! Stopping: in order or at once, and once.

use super::rig::{A, B, NODE, Rig, leases, options, place};
use crate::subscription::{Effect, Input, JoinError, Verdict};

/// EH-10: whoever stops sends nothing more, waits for what is held, saves it, and gives the leases back; so the next begins
/// behind it.
#[test]
fn what_is_held_is_waited_for_and_saved() {
    let mut rig = Rig::with(options(), &[1], &["a", "b"]);
    rig.tell(Input::Stop);
    rig.tell(Input::Stop);
    assert_eq!((rig.sent(), rig.saves(), rig.stopped()), (vec![], None, false));
    rig.join(B, 1);
    assert_eq!(rig.effects, [Effect::Refuse { consumer: B, error: JoinError::Stopping }]);
    rig.ack(A, 1);
    assert_eq!((rig.sent(), rig.saves()), (vec![], Some(vec![1])));
    rig.tell(Input::Saved { refused: Vec::new() });
    let lease = rig.lease();
    assert_eq!((lease.release.len(), lease.hold.len(), lease.leave), (1, 0, true));
    rig.tell(Input::Leased(leases(1, None, 1)));
    assert_eq!(rig.effects, [Effect::Stopped]);
    for input in [Input::Tick, Input::Stop, Input::StopNow, Input::Head(place(9)), Input::LeaseFailed] {
        assert_eq!(rig.tell(input), []);
    }
    assert!(rig.machine.has_stopped());
}

/// At once: what is held counts as not handled; what is done is saved.
#[test]
fn stopping_at_once_waits_for_no_consumer() {
    let mut rig = Rig::with(options(), &[2], &["a", "b", "c"]);
    rig.ack(A, 1);
    rig.tell(Input::Stop);
    assert_eq!(rig.saves(), None);
    rig.tell(Input::StopNow);
    assert_eq!(rig.saves(), Some(vec![1]));
    rig.tell(Input::Saved { refused: Vec::new() });
    assert_eq!(rig.lease().release.len(), 1);
    rig.tell(Input::Leased(leases(1, None, 1)));
    assert_eq!(rig.effects, [Effect::Stopped]);
}

#[test]
fn stopping_before_anything_began_is_stopping() {
    let mut rig = Rig::idle(options());
    assert_eq!(rig.tell(Input::Stop), [Effect::Stopped]);
}

/// A request for leases that is under way may still win some: they are given back, too.
#[test]
fn what_is_won_while_stopping_is_given_back() {
    let mut rig = Rig::idle(options());
    rig.tell(Input::Tick);
    rig.tell(Input::Leased(leases(1, None, 0)));
    assert_eq!(rig.lease().claim, [0]);
    assert_eq!(rig.tell(Input::Stop), []);
    rig.tell(Input::Leased(leases(1, Some(NODE), 1)));
    assert_eq!((rig.lease().release.len(), rig.lease().leave), (1, true));
    rig.tell(Input::Leased(leases(1, None, 1)));
    assert_eq!(rig.effects, [Effect::Stopped]);
}

/// An event that failed for good just before is parked first.
#[test]
fn what_is_to_be_parked_is_parked_before_the_end() {
    let mut rig = Rig::with(options(), &[2], &["a", "b"]);
    rig.tell(Input::Stop);
    rig.fail(A, 1, Verdict::Park);
    assert!(matches!(rig.effects.as_slice(), [Effect::Park(_)]), "{:?}", rig.effects);
    rig.ack(A, 2);
    assert_eq!(rig.saves(), None);
    rig.tell(Input::Parked { refused: Vec::new() });
    assert_eq!(rig.saves(), Some(vec![2]));
}

/// With a store that is gone, stopping ends all the same.
#[test]
fn stopping_ends_without_the_store() {
    let mut rig = Rig::with(options(), &[2], &["a", "b"]);
    rig.fail(A, 1, Verdict::Park);
    rig.ack(A, 2);
    rig.tell(Input::Stop);
    let (mut stopped, mut now) = (0, rig.now);
    let mut waiting = vec![Input::ParkFailed];
    for _ in 0..200 {
        now += 100;
        rig.now = now;
        let effects = match waiting.pop() {
            Some(input) => rig.tell(input).to_vec(),
            None => rig.tell(Input::Tick).to_vec(),
        };
        for effect in effects {
            match effect {
                Effect::Stopped => stopped += 1,
                Effect::Park(_) => waiting.push(Input::ParkFailed),
                Effect::Save(_) => waiting.push(Input::SaveFailed),
                Effect::Lease(_) => waiting.push(Input::LeaseFailed),
                _ => {}
            }
        }
    }
    assert_eq!(stopped, 1);
}
