//! Manifests: who may name whom, and where versions and lints come from.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{none, read};

/// What one member may depend on.
struct Allowed {
    member: &'static str,
    reason: &'static str,
    normal: &'static str,
    dev: &'static str,
}

const TABLE: &[Allowed] = &[
    Allowed {
        member: "shared/core",
        reason: "pure: data and functions; no IO, no clock, no randomness, no async",
        normal: "base64 foldhash serde serde_json thiserror time umbel-derive uuid",
        dev: "proptest",
    },
    Allowed {
        member: "shared/derive",
        reason: "derives the core's traits; the only crate that reads Rust",
        normal: "proc-macro2 quote syn",
        dev: "",
    },
    Allowed {
        member: "shared/contracts",
        reason: "the published language: serde structs, no behaviour",
        normal: "serde thiserror umbel-core unicode-normalization uuid",
        dev: "umbel-testkit",
    },
    Allowed {
        member: "shared/settings",
        reason: "the only crate that names config",
        normal: "config serde strsim thiserror",
        dev: "tempfile",
    },
    Allowed {
        member: "shared/telemetry",
        reason: "the only crate that names tracing-subscriber",
        normal: "serde thiserror tracing tracing-subscriber",
        dev: "",
    },
    Allowed {
        member: "shared/supervision",
        reason: "trees of actix workers, and nothing of this system in particular",
        normal: "actix anyhow futures-util getrandom serde thiserror tokio tracing",
        dev: "proptest toml",
    },
    Allowed {
        member: "shared/testkit",
        reason: "for tests: knows the core, and PostgreSQL to make room for tests in a server",
        normal: "proptest serde serde_json tempfile tokio tokio-postgres umbel-core uuid",
        dev: "",
    },
    Allowed {
        member: "shared/simulator",
        reason: "for development: runs the pure protocols against each other; no IO, no async, no clock but its own",
        normal: "serde umbel-core umbel-supervision uuid",
        dev: "",
    },
    Allowed {
        member: "apps/bus",
        reason: "moves messages: knows no app and no database; the only crate that names croner",
        normal: "actix anyhow arc-swap croner futures-util regex-lite serde serde_json thiserror tokio tracing \
                 umbel-core umbel-supervision uuid",
        dev: "proptest umbel-bus",
    },
    Allowed {
        member: "apps/link",
        reason: "takes messages to other processes: knows no app, no store and no actor",
        normal: "anyhow base64 futures-util ring rustls serde serde_json thiserror tokio tokio-rustls tracing umbel-bus \
                 umbel-core umbel-supervision uuid",
        dev: "actix proptest",
    },
    Allowed {
        member: "apps/host",
        reason: "runs what an app declares: knows no app and, but for its tests, no database",
        normal: "actix anyhow futures-util rustix serde serde_json thiserror tokio tracing umbel-bus umbel-core umbel-link \
                 umbel-settings umbel-supervision umbel-telemetry uuid",
        dev: "proptest tempfile umbel-host umbel-persistence umbel-testing umbel-testkit",
    },
    Allowed {
        member: "apps/persistence",
        reason: "the only crate that names a database client; knows no app",
        normal: "actix anyhow base64 deadpool foldhash futures-util ring rusqlite rustix rustls rustls-native-certs serde \
                 serde_json thiserror tokio tokio-postgres tokio-postgres-rustls tracing umbel-bus umbel-core \
                 umbel-host umbel-supervision uuid",
        dev: "proptest tempfile umbel-testkit",
    },
    Allowed {
        member: "apps/gateway",
        reason: "HTTP in, messages out: knows the published language and no domain app",
        normal: "actix-web anyhow contracts getrandom jsonwebtoken serde serde_json serde_path_to_error thiserror tokio \
                 tracing umbel-bus umbel-core umbel-supervision uuid",
        dev: "actix umbel-testkit",
    },
    Allowed {
        member: "apps/testing",
        reason: "for tests of apps: a whole umbrella in memory; no app, and no product, names it",
        normal: "actix futures-util serde_json tokio umbel-bus umbel-core umbel-host umbel-persistence umbel-supervision \
                 umbel-testkit",
        dev: "serde umbel-testing",
    },
    Allowed {
        member: "apps/launcher",
        reason: "the composition root: knows all apps (domains go without saying); only the tests of the whole know it",
        normal: "actix anyhow clap futures-util gateway rustix serde serde_json tempfile thiserror tokio \
                 tracing umbel-bus umbel-core umbel-host umbel-persistence umbel-settings umbel-supervision uuid",
        dev: "",
    },
    Allowed {
        member: "tests",
        reason: "the whole umbrella from outside",
        normal: "umbel",
        dev: "actix contracts futures-util gateway serde serde_json tempfile tokio toml \
              umbel-bus umbel-core umbel-host umbel-persistence umbel-settings umbel-supervision umbel-testkit \
              ureq uuid",
    },
];

/// What every domain app may depend on; one that needs more gets a line of its own in [`TABLE`].
const DOMAIN: Allowed = Allowed {
    member: "a domain app",
    reason: "a domain: no actor, no database, no other domain",
    normal: "anyhow argon2 contracts serde serde_json thiserror tokio umbel-core umbel-host uuid",
    dev: "umbel-testing umbel-testkit",
};

/// The members under `apps/` that are no domain app.
const INFRASTRUCTURE: &[&str] = &[
    "apps/bus",
    "apps/gateway",
    "apps/host",
    "apps/launcher",
    "apps/link",
    "apps/persistence",
    "apps/testing",
];

/// Who may name domain apps.
const KNOWS_DOMAINS: &[&str] = &["apps/launcher", "tests"];

/// Who alone may name these, outside their tests, whatever the table says.
const OWNERS: &[(&str, &str)] = &[
    ("rusqlite", "apps/persistence"),
    ("tokio-postgres", "apps/persistence shared/testkit"),
    ("deadpool", "apps/persistence"),
    ("tokio-postgres-rustls", "apps/persistence"),
    ("ring", "apps/link apps/persistence"),
    ("config", "shared/settings"),
    ("tracing-subscriber", "shared/telemetry"),
    (
        "actix",
        "apps/bus apps/host shared/supervision apps/persistence apps/gateway apps/launcher apps/testing",
    ),
    ("actix-web", "apps/gateway"),
    ("clap", "apps/launcher"),
    ("umbel-testkit", "apps/testing"),
    ("umbel-testing", ""),
    ("umbel", "tests"),
];

/// Crates that the lock file holds in several versions, and for whom. Remove a line when its reason is gone.
const DUPLICATES: &[(&str, &str)] = &[
    ("base64", "ureq (tests only) is ahead of jsonwebtoken and postgres-protocol"),
    ("const-oid", "digest is ahead of x509-cert, which tokio-postgres-rustls uses for channel binding"),
    ("fallible-iterator", "rusqlite is ahead of tokio-postgres"),
    ("getrandom", "ring stays on 0.2"),
    ("http", "ureq (tests only) is on 1, actix-http on 0.2"),
    ("syn", "half of the derive macros have moved to 3; at build time only"),
    ("wasi", "never built here: for WebAssembly only"),
    ("windows-sys", "never built here: for Windows only"),
];

struct Member {
    path: String,
    name: String,
    manifest: Table,
}

struct Dependency<'a> {
    name: &'a str,
    dev: bool,
    optional: bool,
    from_workspace: bool,
}

#[test]
fn members_name_only_what_the_table_allows() {
    let mut offences = Vec::new();
    let members = members();
    let domains = domains(&members);
    for member in &members {
        let line = TABLE.iter().find(|allowed| allowed.member == member.path);
        let Some(allowed) = line.or(member.is_domain().then_some(&DOMAIN)) else {
            offences.push(format!("{}: has no line in the table; give it one, with a reason", member.path));
            continue;
        };
        for Dependency { name, dev, optional, .. } in member.dependencies() {
            let standalone = optional && name == "umbel-persistence" && member.is_domain();
            let domain = domains.contains(&name) && KNOWS_DOMAINS.contains(&member.path.as_str());
            let listed = |list: &str| list.split_whitespace().any(|listed| listed == name);
            if !(standalone || domain || listed(allowed.normal) || dev && listed(allowed.dev)) {
                offences.push(format!("{} names {name}, but it is: {}", member.path, allowed.reason));
            }
        }
    }
    none(&offences, "do without it, or change the table in tests/tidy/manifests.rs and ARCHITECTURE.md:");
}

#[test]
fn some_crates_have_one_owner() {
    let mut offences = Vec::new();
    for member in members() {
        for Dependency { name, dev, .. } in member.dependencies() {
            let owners = OWNERS.iter().find(|(owned, _)| *owned == name).map(|(_, owners)| owners);
            if !dev
                && owners.is_some_and(|owners| !owners.split_whitespace().any(|owner| owner == member.path))
            {
                offences.push(format!("{} names {name}", member.path));
            }
        }
    }
    none(&offences, "these belong to others (see OWNERS); ask the owner's crate for what you need:");
}

#[test]
fn shared_libraries_import_no_app() {
    let members = members();
    let apps: Vec<_> =
        members.iter().filter(|member| member.path.starts_with("apps/")).map(|member| &member.name).collect();
    let mut offences = Vec::new();
    for member in members.iter().filter(|member| member.path.starts_with("shared/")) {
        for Dependency { name, .. } in member.dependencies() {
            if apps.iter().any(|app| *app == name) {
                offences.push(format!("{} names the app {name}", member.path));
            }
        }
    }
    none(&offences, "what an app and a library share belongs into the library:");
}

/// Invariant 1: a domain crate cannot name another one or a database; not through what it depends on, either.
#[test]
fn a_domain_reaches_no_database_and_no_other_domain() {
    let members = members();
    let mut offences = Vec::new();
    let domains = domains(&members);
    assert!(domains.contains(&"accounts") && domains.contains(&"articles"), "{domains:?}: have they moved?");
    for &domain in &domains {
        let reached = reach(&members, domain);
        let others = domains.iter().copied().filter(|&other| other != domain);
        let databases = ["umbel-persistence", "rusqlite", "tokio-postgres", "deadpool", "gateway"];
        for forbidden in others.chain(databases) {
            if reached.contains(forbidden) {
                offences.push(format!("{domain} reaches {forbidden}"));
            }
        }
        assert!(reached.contains("umbel-core"), "{domain} does not even reach the core: has it moved?");
    }
    none(
        &offences,
        "domain apps exchange messages through the bus, and know neither each other nor a database:",
    );
}

#[test]
fn versions_and_lints_come_from_the_workspace() {
    let mut offences = Vec::new();
    for member in members() {
        for Dependency { name, from_workspace, .. } in member.dependencies() {
            if !from_workspace {
                offences.push(format!("{}: write {name}.workspace = true", member.path));
            }
        }
        let lints = member.manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if lints != Some(&Value::Boolean(true)) {
            offences.push(format!("{}: write [lints] workspace = true", member.path));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            let value = member.manifest.get("package").and_then(|package| package.get(key));
            if value.and_then(|value| value.get("workspace")) != Some(&Value::Boolean(true)) {
                offences.push(format!("{}: write {key}.workspace = true", member.path));
            }
        }
    }
    none(&offences, "versions, metadata and lints are kept in one place, the root's Cargo.toml:");
}

#[test]
fn the_lints_forbid_what_style_forbids() {
    let root: Table = read("Cargo.toml").parse().unwrap();
    let lint = |group: &str, name: &str| {
        let level = &root["workspace"]["lints"][group].get(name)?;
        level.as_str().map(ToOwned::to_owned)
    };
    let mut offences = Vec::new();
    for (group, name, level) in [
        ("rust", "unsafe_code", "forbid"),
        ("rust", "missing_docs", "warn"),
        ("clippy", "unwrap_used", "deny"),
        ("clippy", "panic", "deny"),
        ("clippy", "todo", "deny"),
        ("clippy", "cast_possible_truncation", "deny"),
        ("clippy", "cast_possible_wrap", "deny"),
        ("clippy", "cast_sign_loss", "deny"),
    ] {
        if lint(group, name).as_deref() != Some(level) {
            offences.push(format!("Cargo.toml: [workspace.lints.{group}] {name} = \"{level}\""));
        }
    }
    let clippy: Table = read("clippy.toml").parse().unwrap();
    let methods = clippy["disallowed-methods"].as_array().unwrap();
    for path in [
        "actix::Addr::do_send",
        "actix::Recipient::do_send",
        "tokio::sync::mpsc::unbounded_channel",
        "std::sync::mpsc::channel",
        "std::time::SystemTime::now",
        "uuid::Uuid::now_v7",
        "std::thread::sleep",
    ] {
        let listed = methods.iter().any(|method| {
            method.get("path").and_then(Value::as_str) == Some(path) && method.get("reason").is_some()
        });
        if !listed {
            offences.push(format!("clippy.toml: disallowed-methods has no {path} with a reason"));
        }
    }
    none(&offences, "these rules hold for the whole tree; put them back:");
}

#[test]
fn the_table_is_about_members_that_exist() {
    let members = members();
    let gone: Vec<_> = TABLE
        .iter()
        .filter(|allowed| members.iter().all(|member| member.path != allowed.member))
        .map(|allowed| allowed.member.to_owned())
        .collect();
    none(&gone, "remove these lines from the table in tests/tidy/manifests.rs:");
}

#[test]
fn no_crate_is_built_in_two_versions_without_a_reason() {
    let lock: Table = read("Cargo.lock").parse().unwrap();
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for package in lock["package"].as_array().unwrap() {
        let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        versions.entry(name).or_default().insert(version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let known = |name: &str| DUPLICATES.iter().any(|(known, _)| *known == name);
    let mut offences: Vec<_> = versions
        .iter()
        .filter(|(name, _)| !known(name))
        .map(|(name, versions)| format!("{name} in versions {versions:?}; see cargo tree --duplicates"))
        .collect();
    let stale = DUPLICATES.iter().filter(|(name, _)| !versions.contains_key(name));
    offences.extend(stale.map(|(name, _)| format!("{name} has one version by now: remove its line")));
    none(
        &offences,
        "choose versions that agree, or give the reason in DUPLICATES in tests/tidy/manifests.rs:",
    );
}

fn members() -> Vec<Member> {
    let root: Table = read("Cargo.toml").parse().unwrap();
    let members = root["workspace"]["members"].as_array().unwrap();
    members.iter().map(|path| Member::read(path.as_str().unwrap())).collect()
}

/// The domain apps, by package name.
fn domains(members: &[Member]) -> Vec<&str> {
    members.iter().filter(|member| member.is_domain()).map(|member| member.name.as_str()).collect()
}

/// Everything that a package's library depends on, members' dependencies followed; optional ones and tests aside.
fn reach<'a>(members: &'a [Member], package: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![package]);
    while let Some(name) = next.pop() {
        let Some(member) = members.iter().find(|member| member.name == name) else { continue };
        for dependency in member.dependencies().filter(|dependency| !dependency.dev && !dependency.optional) {
            if reached.insert(dependency.name) {
                next.push(dependency.name);
            }
        }
    }
    reached
}

impl Member {
    fn is_domain(&self) -> bool {
        self.path.starts_with("apps/") && !INFRASTRUCTURE.contains(&self.path.as_str())
    }

    fn read(path: &str) -> Self {
        let manifest: Table = read(&format!("{path}/Cargo.toml")).parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        Self { path: path.to_owned(), name, manifest }
    }

    fn dependencies(&self) -> impl Iterator<Item = Dependency<'_>> {
        let kinds = [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];
        let targets = self.manifest.get("target").and_then(Value::as_table);
        let tables = targets.into_iter().flat_map(|targets| targets.values().filter_map(Value::as_table));
        std::iter::once(&self.manifest).chain(tables).flat_map(move |table| {
            kinds.into_iter().flat_map(move |(kind, dev)| {
                let listed = table.get(kind).and_then(Value::as_table);
                listed.into_iter().flatten().map(move |(name, value)| {
                    let is = |key: &str| value.get(key) == Some(&Value::Boolean(true));
                    Dependency { name, dev, optional: is("optional"), from_workspace: is("workspace") }
                })
            })
        })
    }
}
