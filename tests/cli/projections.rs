//! Projections as an operator meets them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Store, Umbel};

/// Far longer than a rebuild of so few events takes.
const SOON: Duration = Duration::from_secs(60);

/// UX-09: while the umbrella runs, a projection is built anew on demand; readers notice nothing, and the operator sees which generation
/// serves, how far it is behind, and the act in the audit.
#[test]
fn a_projection_is_built_anew_from_the_shell() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running = umbel.run();
        let ada = running.client().register("ada");
        ada.publish("First", &["tag"]);
        let show = || umbel.json(&["projections", "show", "articles.list"]).remove(0);
        let before = show();
        assert_eq!((&before["serving"]["run"], &before["building"]), (&json!(1), &json!([])));
        assert!(before["serving"]["lag_seconds"].is_u64() && before["held_up"] == json!([]), "{before}");
        let listed = umbel.json(&["projections", "list"]);
        let names: Vec<_> = listed.iter().filter_map(|one| one["projection"].as_str()).collect();
        assert!(names.contains(&"articles.list") && names.is_sorted() && names.len() > 3, "{names:?}");
        let count = || running.client().get("/api/articles").body["articlesCount"].as_u64().unwrap();
        assert_eq!(count(), 1);

        let missing = umbel.command_output(&["projections", "rebuild", "articles.lost"]);
        assert!(missing.code == Some(1) && missing.stderr.contains("projections list"), "{missing:?}");
        let missing = umbel.command_output(&["projections", "show", "articles.lost"]);
        assert!(missing.code == Some(1) && missing.stderr.contains("projections list"), "{missing:?}");
        umbel.json(&["projections", "rebuild", "articles.list", "--reason", "to see it"]);
        let began = Instant::now();
        let after = loop {
            assert_eq!(count(), 1);
            let seen: Value = show();
            if seen["serving"]["run"] == 2 {
                break seen;
            }
            assert!(began.elapsed() < SOON, "{seen}");
        };
        assert_eq!(after["building"], json!([]));
        assert_eq!(count(), 1);
        ada.publish("Second", &[]);
        assert_eq!(count(), 2);
        let table = umbel.command_output(&["projections", "list"]).stdout;
        assert!(table.contains(", run 2"), "{table}");
        let shown = umbel.command_output(&["projections", "show", "articles.list"]).stdout;
        assert!(shown.contains("serves") && shown.contains("collections"), "{shown}");
        let audit = umbel.command_output(&["audit"]).stdout;
        assert!(audit.contains("began to build projection articles.list anew"), "{audit}");
    }
}
