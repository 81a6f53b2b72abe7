//! Both sides of a greeting, and those who only pretend to be one.

use umbel_core::subscription::NodeId;
use uuid::Uuid;

use super::{Caller, Greeting, Host, Nonce, Stranger, VERSION};
use crate::settings::Secret;

const NODE: NodeId = NodeId(Uuid::from_u128(7));
/// Bytes of a frame that the one who connects takes, and the other one.
const MOST: usize = 5000;
const LESS: usize = 4096;

fn secret() -> Secret {
    Secret::new("s".repeat(32))
}

fn nonce(seed: u8) -> Nonce {
    [seed; 32]
}

/// A challenge to this hello, by somebody who knows that secret.
fn challenged(secret: &Secret, hello: Greeting) -> Result<(Host<'_>, Greeting), Stranger> {
    Host::challenge(secret, NODE, (nonce(2), LESS), hello)
}

fn hello_with(change: impl FnOnce(&mut u32, &mut String, &mut Uuid)) -> Greeting {
    let secret = secret();
    let Greeting::Hello { mut version, mut nonce, mut process, frame_max } =
        Caller::new(&secret, NODE, nonce(1), MOST).hello()
    else {
        panic!("it begins with hello")
    };
    change(&mut version, &mut nonce, &mut process);
    Greeting::Hello { version, nonce, process, frame_max }
}

/// LK-07: two processes that know the same secret, or both none, let each other in.
#[test]
fn who_knows_the_secret_is_welcome() {
    for secret in [secret(), Secret::default()] {
        let caller = Caller::new(&secret, NODE, nonce(1), MOST);
        let (host, challenge) = challenged(&secret, caller.hello()).unwrap();
        let (proof, frame_max) = caller.prove(challenge).unwrap();
        let welcome = host.check(proof).unwrap();
        assert_eq!(Caller::enter(welcome), Ok(()));
        assert_eq!((frame_max, host.frame_max()), (LESS, LESS), "what both take");
    }
}

/// LK-19: what frames may have is proven, too: whoever says less, or more, in the other's place is no peer.
#[test]
fn nobody_in_between_says_how_large_frames_may_be() {
    let secret = secret();
    let caller = Caller::new(&secret, NODE, nonce(1), MOST);
    let (_, mut challenge) = challenged(&secret, caller.hello()).unwrap();
    let Greeting::Challenge { frame_max, .. } = &mut challenge else { panic!("it is challenged") };
    *frame_max -= 1;
    assert_eq!(caller.prove(challenge), Err(Stranger::OtherSecret));
}

/// LK-07: who does not know the secret is let in by neither side, and learns no proof that the other side's role would need.
#[test]
fn who_does_not_know_the_secret_is_no_peer() {
    let (ours, theirs) = (secret(), Secret::new("t".repeat(32)));
    for (ours, theirs) in [(&ours, &theirs), (&ours, &Secret::default()), (&Secret::default(), &ours)] {
        let caller = Caller::new(ours, NODE, nonce(1), MOST);
        let (host, challenge) = challenged(theirs, caller.hello()).unwrap();
        // The one who connects hears a stranger's challenge, and says no more.
        assert_eq!(caller.prove(challenge.clone()), Err(Stranger::OtherSecret));
        // The stranger who says something all the same: the proof that it was given itself, its own, or none.
        let Greeting::Challenge { proof, .. } = challenge else { panic!("it is challenged") };
        for proof in [proof, String::new(), "AAAA".into(), "no base64".into()] {
            assert_eq!(host.check(Greeting::Proof { proof }), Err(Stranger::OtherSecret));
        }
    }
    let said = Stranger::OtherSecret.to_string();
    assert!(said.contains("[link] secret") && said.contains("UMBEL__LINK__SECRET"), "{said}");
}

/// LK-07: a proof is of one connection and one role: heard on another one, or sent back, it proves nothing.
#[test]
fn a_proof_that_was_overheard_proves_nothing() {
    let secret = secret();
    let caller = Caller::new(&secret, NODE, nonce(1), MOST);
    let (host, challenge) = challenged(&secret, caller.hello()).unwrap();
    let (proof, _) = caller.prove(challenge.clone()).unwrap();
    assert_eq!(host.check(proof.clone()), Ok(Greeting::Welcome));
    // The same hello and proof, to a host that has another number by now.
    let (later, _) = Host::challenge(&secret, NODE, (nonce(3), LESS), caller.hello()).unwrap();
    assert_eq!(later.check(proof.clone()), Err(Stranger::OtherSecret));
    // The same challenge, to a caller who has another number.
    let other = Caller::new(&secret, NODE, nonce(4), MOST);
    assert_eq!(other.prove(challenge.clone()), Err(Stranger::OtherSecret));
    // A host's own proof, sent back to it as a caller's.
    let Greeting::Challenge { proof: mirrored, .. } = challenge else { panic!("it is challenged") };
    assert_eq!(host.check(Greeting::Proof { proof: mirrored }), Err(Stranger::OtherSecret));
    // The caller's proof, with another process meant.
    let elsewhere = hello_with(|_, _, process| *process = Uuid::from_u128(8));
    let (host, _) =
        Host::challenge(&secret, NodeId(Uuid::from_u128(8)), (nonce(2), LESS), elsewhere).unwrap();
    assert_eq!(host.check(proof), Err(Stranger::OtherSecret));
}

/// LK-08: another version of the protocol is refused by both sides, in words that name both; so is who looks for another process.
#[test]
fn another_version_or_process_is_refused() {
    let secret = secret();
    let newer = hello_with(|version, _, _| *version = VERSION + 1);
    let refused = challenged(&secret, newer).unwrap_err();
    assert_eq!(refused, Stranger::OtherVersion { theirs: VERSION + 1 });
    assert!(refused.to_string().contains(&format!("version {}", VERSION + 1)), "{refused}");
    let caller = Caller::new(&secret, NODE, nonce(1), MOST);
    let challenge =
        Greeting::Challenge { version: 9, nonce: String::new(), proof: String::new(), frame_max: 0 };
    assert_eq!(caller.prove(challenge), Err(Stranger::OtherVersion { theirs: 9 }));
    let other = hello_with(|_, _, process| *process = Uuid::from_u128(8));
    assert_eq!(challenged(&secret, other).unwrap_err(), Stranger::OtherProcess);
    assert!(refused.is_lasting() && !Stranger::OtherProcess.is_lasting());
    for stranger in [refused, Stranger::OtherProcess] {
        let (reason, lasting) = (stranger.to_string(), stranger.is_lasting());
        let heard = Stranger::Refused { reason, lasting };
        assert_eq!(heard.is_lasting(), lasting);
        assert_eq!(caller.prove(stranger.refusal()), Err(heard.clone()));
        assert_eq!(Caller::enter(stranger.refusal()), Err(heard));
    }
    // What an earlier version says is understood as far as it matters.
    let hello = r#"{"hello":{"version":1,"nonce":"","process":"00000000-0000-0000-0000-000000000007"}}"#;
    let earlier = challenged(&secret, serde_json::from_str(hello).unwrap()).unwrap_err();
    assert_eq!(earlier, Stranger::OtherVersion { theirs: 1 });
}

#[test]
fn whatever_comes_out_of_turn_ends_it() {
    let secret = secret();
    let caller = Caller::new(&secret, NODE, nonce(1), MOST);
    for wrong in [Greeting::Welcome, caller.hello(), Greeting::Proof { proof: String::new() }] {
        assert!(matches!(caller.prove(wrong), Err(Stranger::OutOfTurn(_))));
    }
    for short in ["", "AAAA", "no base64"] {
        let hello = hello_with(|_, nonce, _| short.clone_into(nonce));
        assert!(matches!(challenged(&secret, hello), Err(Stranger::OutOfTurn(_))), "{short:?}");
    }
    assert!(matches!(challenged(&secret, Greeting::Welcome), Err(Stranger::OutOfTurn("welcome"))));
    let (host, _) = challenged(&secret, caller.hello()).unwrap();
    assert!(matches!(host.check(Greeting::Welcome), Err(Stranger::OutOfTurn(_))));
    assert!(matches!(Caller::enter(caller.hello()), Err(Stranger::OutOfTurn("hello"))));
}
