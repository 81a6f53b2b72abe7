//! `umbel tenants`: several stores in one place.

use std::fs;

use super::lines::{ended, line};
use crate::support::{Store, Umbel};

/// OP-04: what one tenant holds no other sees, and one goes without the others.
#[test]
fn tenants_share_nothing() {
    for store in Store::durable() {
        let schema = matches!(store, Store::Postgres(_));
        let umbel = Umbel::new(store);
        // Others test on the same server.
        let names = ["one", "two"].map(|name| format!("t{:x}_cli_{name}", std::process::id()));
        let listed = || -> Vec<String> {
            let mut tenants = umbel.json(&["tenants", "list"]);
            tenants.retain(|tenant| names.iter().any(|name| tenant["name"] == **name));
            assert!(tenants.iter().all(|tenant| tenant["pending"] == 0), "{tenants:?}");
            tenants.iter().map(|tenant| tenant["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(listed(), [""; 0]);
        for name in &names {
            assert!(umbel.json(&["tenants", "create", name])[0]["applied"].as_u64().unwrap() > 0);
            assert_eq!(umbel.json(&["tenants", "create", name])[0]["applied"], 0);
        }
        assert_eq!(listed(), names);
        assert_eq!(umbel.json(&["tenants", "migrate", &names[0], &names[1]]).len(), 2);

        let one = if schema {
            format!("store.schema={}", names[0])
        } else {
            format!("store.url=sqlite:{}", umbel.dir().join(&names[0]).with_extension("db").display())
        };
        let imported = umbel.command_fed(&["events", "import", "--set", &one], &ended(&[line(1, "a-1", 1)]));
        assert_eq!(imported.code, Some(0), "{imported:?}");
        assert_eq!(umbel.json(&["events", "tail", "--set", &one]).len(), 1);
        assert_eq!(
            umbel.command_output(&["events", "tail"]).code,
            Some(4),
            "the configured one was never made"
        );

        assert_eq!(umbel.command_output(&["tenants", "drop", &names[0]]).code, Some(2));
        assert_eq!(umbel.json(&["tenants", "drop", &names[0], "--yes"])[0]["dropped"], true);
        assert_eq!(umbel.json(&["tenants", "drop", &names[0], "--yes"])[0]["dropped"], false);
        assert_eq!(listed(), names[1..]);
        let missing = umbel.command_output(&["tenants", "migrate", &names[0], &names[1]]);
        assert_eq!(missing.code, Some(1), "{missing:?}");
        assert!(missing.stderr.contains(&names[0]) && missing.stdout.contains(&names[1]), "{missing:?}");
        umbel.json(&["tenants", "drop", &names[1], "--yes"]);
        for wrong in ["Acme", "../acme"] {
            let exit = umbel.command_output(&["tenants", "create", wrong]);
            assert_eq!(exit.code, Some(2), "{exit:?}");
        }
    }
}

/// OP-22: given a tenant whose file is damaged from its first page on, when tenants are listed or migrated, then it is named with why, the
/// exit code is 1, and the others are listed and migrated.
#[test]
fn a_damaged_tenant_is_told_of() {
    let umbel = Umbel::new(Store::Sqlite);
    for name in ["fine", "hurt"] {
        umbel.json(&["tenants", "create", name]);
    }
    let hurt = umbel.dir().join("hurt.db");
    let mut bytes = fs::read(&hurt).unwrap();
    bytes[..100].fill(0);
    fs::write(&hurt, bytes).unwrap();

    let listed = umbel.command_output(&["tenants", "list"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    let line = |name: &str| listed.stdout.lines().find(|line| line.starts_with(name));
    assert!(line("fine").unwrap().contains("up to date"), "{listed:?}");
    assert!(line("hurt").unwrap().contains("not a healthy SQLite database"), "{listed:?}");
    assert!(listed.stderr.contains("cannot be used: hurt"), "{listed:?}");

    let migrated = umbel.command_output(&["tenants", "migrate"]);
    assert_eq!(migrated.code, Some(1), "{migrated:?}");
    assert!(migrated.stdout.contains("tenant fine is up to date"), "{migrated:?}");
    assert!(migrated.stderr.contains("not migrated: hurt: "), "{migrated:?}");
}
