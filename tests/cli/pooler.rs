//! Everything through a pooler in transaction mode.

use super::lines::{ended, log, within};
use crate::support::{Store, Umbel};

/// A store is made, filled, served, looked at, verified and removed, all through the pooler.
#[test]
fn all_works_through_a_pooler() {
    let umbel = Umbel::new(Store::pooled());
    umbel.json(&["store", "init"]);
    umbel.json(&["store", "migrate"]);
    let lines = log(1200);
    let imported = umbel.command_fed(&["events", "import"], &ended(&lines));
    assert_eq!(imported.code, Some(0), "{imported:?}");

    let running = umbel.run();
    let ada = running.client().register("ada");
    ada.publish("First", &["tag"]);
    assert!(umbel.events().len() > lines.len());
    running.kill();

    let exported = umbel.command_output(&["events", "export"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert_eq!(within(&exported.stdout)[..lines.len()], lines);
    assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    let beside = format!("{}_beside", umbel.place().schema);
    umbel.json(&["tenants", "create", &beside]);
    let listed = umbel.json(&["tenants", "list"]);
    assert!(listed.iter().any(|tenant| tenant["name"] == *beside && tenant["pending"] == 0), "{listed:?}");
    umbel.json(&["tenants", "drop", &beside, "--yes"]);
    umbel.json(&["store", "drop", "--yes"]);
}

/// Without the setting the failure says what to set.
#[test]
fn a_pooler_that_nobody_named_is_pointed_out() {
    // A pooler of one's own: without the setting the sessions behind it do not stay as they were.
    let shared = umbel_testkit::postgres::Pooler::get().unwrap();
    let own = umbel_testkit::postgres::Pooler::start(shared.server_url(), 2).unwrap();
    let mut umbel = Umbel::new(Store::pooled());
    umbel.json(&["store", "init"]);
    umbel.set("UMBEL__STORE__URL", own.url());
    umbel.set("UMBEL__STORE__POOLER", "false");
    let exit = umbel.command_fed(&["events", "import"], &ended(&log(3)));
    assert_ne!(exit.code, Some(0), "{exit:?}");
    assert!(exit.stderr.contains("set store.pooler = true"), "{exit:?}");
}
