//! Projections as an operator meets them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use umbel_core::{
    Position,
    store::{OpenProjection, SaveProjection},
};

use crate::support::{Store, Umbel, with_store};

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
        // Nobody follows or comments: their projections have nothing to do, wherever their checkpoints stand.
        for one in listed
            .iter()
            .filter(|one| ["articles.comments", "social.graph"].map(Value::from).contains(&one["projection"]))
        {
            let serving = &one["serving"];
            assert_eq!((&serving["lag_positions"], &serving["is_known"]), (&json!(0), &json!(true)), "{one}");
        }
        let table = umbel.command_output(&["projections", "list"]).stdout;
        assert!(table.contains("positions behind") && table.contains("up to date"), "{table}");
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

/// PJ-08: a projection that is dropped is not there any more, as the audit tells; an app that still has it builds it anew.
#[test]
fn a_projection_is_dropped_from_the_shell() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running = umbel.run();
        running.client().register("ada").publish("First", &["tag"]);
        running.kill();
        let unsure = umbel.command_output(&["projections", "drop", "articles.list"]);
        assert!(unsure.code != Some(0) && unsure.stderr.contains("--yes"), "{unsure:?}");
        umbel.json(&["projections", "drop", "articles.list", "--yes", "--reason", "not needed"]);
        let listed = umbel.json(&["projections", "list"]);
        let mut names = listed.iter().filter_map(|one| one["projection"].as_str());
        assert!(names.all(|name| name != "articles.list"), "{listed:?}");
        for act in [
            &["projections", "show", "articles.list"][..],
            &["projections", "drop", "articles.list", "--yes"],
        ] {
            let missing = umbel.command_output(act);
            assert!(missing.code == Some(1) && missing.stderr.contains("projections list"), "{missing:?}");
        }
        let audit = umbel.command_output(&["audit"]).stdout;
        assert!(audit.contains("dropped projection articles.list"), "{audit}");

        let running = umbel.run();
        let began = Instant::now();
        while running.client().get("/api/articles").body["articlesCount"] != 1 {
            assert!(began.elapsed() < SOON);
        }
    }
}

/// OP-25: a generation that stands beyond the log's end, as after a restore of only a part of the store, is told as such, whether it serves or
/// is built.
#[test]
fn a_projection_beyond_the_end_is_told_as_such() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        with_store(&umbel.place(), async |bus| {
            for version in [1, 2] {
                let open = OpenProjection {
                    projection: "test.list".into(),
                    version,
                    collections: vec!["test.list".into()],
                    indexes: Vec::new(),
                    inline: Vec::new(),
                };
                let generations = bus.store().open_projection(open).await.unwrap();
                let own = generations.iter().find(|one| one.version == version).unwrap();
                let (projection, expected, position) = (own.checkpoint(), own.position, Position::new(9));
                let (clear, writes) = (Vec::new(), Vec::new());
                let save = SaveProjection { projection, expected, position, clear, writes };
                bus.store().save_projection(save).await.unwrap();
            }
        });
        let listed = umbel.json(&["projections", "list"]).remove(0);
        let stages = [&listed["serving"], &listed["building"][0]];
        assert!(stages.iter().all(|stage| stage["is_beyond"] == true), "{listed}");
        let table = umbel.command_output(&["projections", "list"]).stdout;
        assert_eq!(table.matches("beyond the end").count(), 2, "{table}");
    }
}
