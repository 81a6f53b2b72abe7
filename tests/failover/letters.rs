//! Dead letters end to end: made by a handler that fails in a real process, looked after by the operator's tool.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    LEASE,
    journal::lines,
    node::{Handler, broken},
    stage::{Written, append, play, until},
};
use crate::support::{Store, Umbel};

/// Events of each key.
const EVENTS: u64 = 6;

/// UX-07, UX-08: events of one key fail for good in a real process: those of the key wait behind, those of another do not. The tool tells
/// how many there are, tries them again in chunks, in vain as long as the cause is there, and in order once it is not; then
/// the key goes on.
#[test]
fn dead_letters_are_tried_again_from_the_shell() {
    let umbel = Umbel::new(Store::postgres());
    // Before anything is waited for: the tool may have to be built first.
    umbel.json(&["store", "init"]);
    play(&umbel.place(), LEASE, async |stage| {
        let cause = stage.folder().join(broken("ada"));
        fs::write(&cause, "").unwrap();
        let _node = stage.node("node", Handler::Shared);
        for number in 1..=EVENTS {
            append(&stage.bus, "ada", number).await;
            append(&stage.bus, "bob", number).await;
        }
        let listed = async |expected: u64| {
            until("the dead letters", async || {
                let letters = umbel.json(&["dead-letters", "list"]);
                let done = stage.handled().last.get("bob") == Some(&EVENTS);
                if done && letters.len() as u64 == expected { Ok(letters) } else { Err(letters) }
            })
            .await
        };
        let letters = listed(EVENTS).await;
        let first = letters[0].clone();
        assert_eq!(numbers(stage.folder(), "ada"), [0; 0]);
        let failed: Vec<_> = letters.iter().map(|letter| letter["failure"].is_object()).collect();
        assert_eq!(
            failed,
            [true, false, false, false, false, false],
            "those behind it only wait: {letters:?}"
        );

        let retry = |more: &[&str]| -> Value {
            let retry = ["dead-letters", "retry", "--subscription", "failover.shared"];
            umbel.json(&[&retry[..], more].concat()).remove(0)
        };
        let dry = retry(&["--dry-run"]);
        assert_eq!(dry, json!({"matching": EVENTS, "letters": 0, "dry_run": true}));
        let failed = retry(&["--failed", "--chunk", "2"]);
        assert_eq!((&failed["matching"], &failed["letters"]), (&json!(1), &json!(1)));
        // It is tried, fails once more, and is there again, with nobody asking.
        until("it to fail again", async || {
            let letters = umbel.json(&["dead-letters", "list"]);
            let again = letters[0]["retry"] == false && attempts(&letters[0]) > attempts(&first);
            if again { Ok(()) } else { Err(letters) }
        })
        .await;
        assert_eq!(numbers(stage.folder(), "ada"), [0; 0]);

        fs::remove_file(&cause).unwrap();
        let done = retry(&["--chunk", "2"]);
        assert_eq!(done["matching"], EVENTS);
        // Those that only waited come by themselves once what was before them is handled, and are not asked for then.
        let asked = done["letters"].as_u64().unwrap();
        assert!((2..=EVENTS).contains(&asked), "{done}");
        listed(0).await;
        append(&stage.bus, "ada", EVENTS + 1).await;
        let written = Written::from([("ada".to_owned(), EVENTS + 1), ("bob".to_owned(), EVENTS)]);
        let handled = stage.settled(&written).await;
        assert_eq!(handled.again, []);
        let came: Vec<_> = lines(stage.folder()).into_iter().filter(|line| line.key == "ada").collect();
        assert!(came.iter().all(|line| line.letter == (line.number <= EVENTS)), "{came:?}");
        let audit = umbel.command_output(&["audit"]).stdout;
        assert!(audit.contains("failover.shared"), "{audit}");
    });
}

/// How often a letter was tried; nothing for one that only waits.
fn attempts(letter: &Value) -> Option<u64> {
    letter["failure"]["attempts"].as_u64()
}

/// What was handled of a key.
fn numbers(folder: &Path, key: &str) -> Vec<u64> {
    lines(folder).into_iter().filter(|line| line.key == key).map(|line| line.number).collect()
}
