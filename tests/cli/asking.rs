//! What cannot be undone is asked about first.

use umbel_core::{
    Json, Timestamp,
    store::{Append, OutboxEntry},
};
use uuid::Uuid;

use super::subscriptions::filled;
use crate::support::{Store, Umbel, eventually, with_store};

/// A store with something of all that a command can remove.
fn full(store: Store, planned: Uuid, tenant: &str) -> Umbel {
    let umbel = filled(store);
    let running = umbel.run();
    eventually("a projection that serves", || {
        let listed = umbel.json(&["projections", "list"]);
        listed
            .iter()
            .any(|one| one["projection"] == "articles.list" && one["serving"].is_object())
            .then_some(())
    });
    running.kill();
    let entry = OutboxEntry {
        id: planned,
        queue: "schedule.articles".into(),
        body: Json::parse("{}").unwrap(),
        due_at: Some(Timestamp::from_micros(4_000_000_000_000_000)),
    };
    with_store(&umbel.place(), async |bus| {
        bus.store().append(Append { outbox: vec![entry], ..Append::default() }).await.unwrap();
    });
    umbel.json(&["tenants", "create", tenant]);
    umbel
}

/// OP-12: given commands that cannot be undone, when nobody is at a terminal, then each needs a yes, and does nothing without; of what is
/// not there, or cannot be done, that is said instead.
#[test]
fn what_cannot_be_undone_needs_a_yes() {
    for store in Store::durable() {
        let [planned, unknown] = [1, 2].map(Uuid::from_u128);
        let [tenant, none] = ["ask", "none"].map(|name| format!("t{:x}_{name}", std::process::id()));
        let umbel = full(store, planned, &tenant);
        let run = |line: &str, more: &[&str]| {
            umbel.command_output(&line.split(' ').chain(more.iter().copied()).collect::<Vec<_>>())
        };
        let audited = || umbel.json(&["audit"]).len();
        for (line, missing, code, told) in [
            ("dead-letters discard --failed", "dead-letters discard --key none", 0, "0 dead letters"),
            ("streams truncate even-1 --before 2", "streams truncate even-1 --before 1000", 1, "ends at"),
            ("streams truncate odd --before 2", "streams truncate even-9 --before 2", 1, "streams list"),
            ("streams delete odd", "streams delete odd --hard", 1, "store.allow_hard_removal"),
            ("streams delete even-0", "streams delete odd", 1, "--hard"),
            ("streams delete even-1 --expected 20", "streams delete even-1 --expected 1", 1, "is at version"),
            (
                "subscriptions reset mail.welcome --origin",
                "subscriptions reset a --origin",
                1,
                "subscriptions list",
            ),
            (
                "subscriptions rename mail.welcome mail.new --running",
                "subscriptions rename a b",
                1,
                "subscriptions list",
            ),
            ("subscriptions delete mail.new", "subscriptions delete a", 1, "subscriptions list"),
            ("projections drop articles.list", "projections drop articles.none", 1, "projections list"),
            (
                &format!("schedule cancel {planned}"),
                &format!("schedule cancel {unknown}"),
                1,
                "schedule list",
            ),
            (&format!("tenants drop {tenant}"), &format!("tenants drop {none}"), 0, "is not there"),
            ("store forget account-1 --unknown", "store forget account-1", 1, "ever sealed here"),
            ("store forget account-1", "schedule cancel mine", 2, "umbel schedule list APP"),
        ] {
            let before = audited();
            let unsure = run(line, &[]);
            assert!(
                unsure.code == Some(2) && unsure.stderr.contains("confirm it with --yes"),
                "{line}: {unsure:?}"
            );
            let absent = run(missing, &[]);
            let words = format!("{}{}", absent.stdout, absent.stderr);
            assert!(absent.code == Some(code) && words.contains(told), "{missing}: {absent:?}");
            assert!(!words.contains("confirm it"), "{missing}: {absent:?}");
            assert_eq!(audited(), before, "{line}: nothing was done");
            let sure = run(line, &["--yes"]);
            assert_eq!(sure.code, Some(0), "{line}: {sure:?}");
        }
        let unsure = run("store drop", &[]);
        assert!(unsure.code == Some(2) && unsure.stderr.contains("confirm it with --yes"), "{unsure:?}");
        assert_eq!(umbel.json(&["store", "drop", "--yes"])[0]["dropped"], true);
        assert_eq!(umbel.json(&["store", "drop"])[0]["dropped"], false);
    }
}
