//! `umbel new app`, for real: in copies of this checkout, down to its files, its tests and what README shows of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::support::{Exit, umbel_in};

/// What of a checkout is copied: everything that cargo and the tool look at.
const COPIED: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "clippy.toml",
    "rustfmt.toml",
    "README.md",
    "apps",
    "config",
    "shared",
    "tests",
];

/// The app that README adds.
const IN_README: &str = "shelf";

/// The one that is added here: not the same, since who has followed README has that one.
const NAME: &str = "shelf2";

/// More than a build from nothing takes on a busy machine.
const PATIENCE_SECONDS: &str = "1200";

/// A copy of this checkout, of its own.
struct Checkout {
    dir: TempDir,
}

impl Checkout {
    fn copy() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // With its times, so that cargo knows what it has built of another copy.
        let mut copy = Command::new("cp");
        copy.arg("-a").args(COPIED.map(|name| original().join(name))).arg(dir.path());
        assert!(copy.status().unwrap().success());
        Self { dir }
    }

    fn new_app(&self, arguments: &[&str]) -> Exit {
        // From within: it finds the root by itself.
        umbel_in(&self.path("apps/accounts/src"), &[&["new", "app"], arguments].concat())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Puts a line or more above the one that holds something.
    fn insert_above(&self, path: &str, marker: &str, added: &str) {
        let text = self.read(path);
        let at = text.find(marker).unwrap_or_else(|| panic!("{path} has no {marker}"));
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        fs::write(self.path(path), format!("{}{added}\n{}", &text[..line], &text[line..])).unwrap();
    }

    /// Every file with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(
                        path.strip_prefix(self.dir.path()).unwrap().to_owned(),
                        fs::read(&path).unwrap(),
                    );
                }
            }
        }
        found
    }

    /// Runs cargo in it. What it builds stays beside what this checkout builds, and never among it: cargo would take a crate of the
    /// copy for ours.
    fn cargo(&self, arguments: &[&str]) -> Output {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new("timeout");
        command.arg(PATIENCE_SECONDS).arg(cargo).args(arguments).current_dir(self.dir.path());
        command.env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/new-app"));
        command.output().unwrap()
    }
}

fn original() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The block of code of README that follows a text, for the app that is added here.
#[track_caller]
fn block_behind(readme: &str, text: &str) -> String {
    let (_, behind) = readme.split_once(text).unwrap_or_else(|| panic!("README.md does not say {text}"));
    let (_, block) = behind.split_once("```rust\n").unwrap();
    block.split_once("```\n").unwrap().0.replace(IN_README, NAME)
}

/// The rehearsal names exactly the files that are written then, and writes none; nothing else changes.
#[test]
fn it_writes_what_the_dry_run_says() {
    let checkout = Checkout::copy();
    let before = checkout.files();
    let rehearsed = checkout.new_app(&[NAME, "--dry-run", "--json"]);
    assert_eq!(rehearsed.code, Some(0), "{rehearsed:?}");
    assert!(checkout.files() == before, "a dry run writes nothing");

    let written = checkout.new_app(&[NAME]);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert!(written.stdout.contains("cargo test --lib -p shelf2"), "{written:?}");
    assert!(written.stdout.contains("section [shelf2] of config/default.toml"), "{written:?}");
    let after = checkout.files();
    let differing = after.iter().filter(|(path, text)| before.get(*path) != Some(*text));
    let differing: Vec<_> = differing.map(|(path, _)| path.to_str().unwrap()).collect();
    let lines: Vec<serde_json::Value> =
        rehearsed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut said: Vec<_> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    said.sort_unstable();
    assert_eq!(said, differing);
    assert!(before.keys().all(|path| after.contains_key(path)));
    for line in &lines {
        let path = Path::new(line["path"].as_str().unwrap());
        assert_eq!(line["change"] == "changed", before.contains_key(path), "{line}");
    }
}

/// Who spells it otherwise is told what it is called; the closing lines, done as they say, leave nothing of it, also once cargo has seen it.
#[test]
fn it_says_what_it_is_called_and_how_to_undo_it() {
    let checkout = Checkout::copy();
    let shell = |script: &str| {
        let run = Command::new("sh").args(["-ec", script]).current_dir(checkout.dir.path()).output().unwrap();
        assert!(run.status.success(), "{script}: {run:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    shell(
        "git init -q; git add -A; git -c user.name=ada -c user.email=ada@example.org -c commit.gpgsign=false commit -qm All",
    );
    let written = checkout.new_app(&["far-shelf"]);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert!(written.stdout.contains("It is called far_shelf, not far-shelf"), "{written:?}");
    assert!(!checkout.new_app(&[NAME, "--dry-run"]).stdout.contains("It is called"));
    assert!(shell("git status --porcelain").contains("apps/far_shelf"));
    fs::write(checkout.path("Cargo.lock"), "changed").unwrap();
    let (_, undo) = written.stdout.split_once("Undo it").unwrap();
    let commands: Vec<_> = undo.lines().skip(1).collect();
    assert_eq!(commands.len(), 2, "{undo}");
    shell(&commands.join("\n"));
    assert_eq!(shell("git status --porcelain"), "");
}

/// What is refused says why and changes nothing: the same again, wrong names, names that are taken, and a place without a checkout.
#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let checkout = Checkout::copy();
    assert_eq!(checkout.new_app(&[NAME]).code, Some(0));
    let before = checkout.files();
    for (name, code, why) in [
        (NAME, 1, "apps/shelf2 is there already"),
        ("accounts", 1, "apps/accounts is there already"),
        ("serde", 1, "a crate is called serde already"),
        ("telemetry", 1, "config/default.toml has a line `[telemetry]` already"),
        ("comments", 1, "shared/contracts/src/comments.rs is there already"),
        ("Shelf", 2, "lower-case"),
        ("match", 2, "a word of Rust"),
        ("../shelf2", 2, "lower-case"),
        ("store", 2, "part of the umbrella"),
    ] {
        let refused = checkout.new_app(&[name]);
        assert_eq!(refused.code, Some(code), "{name}: {refused:?}");
        assert!(refused.stderr.contains(why), "{name}: {refused:?}");
    }
    assert!(checkout.files() == before);

    let elsewhere = tempfile::tempdir().unwrap();
    let refused = umbel_in(elsewhere.path(), &["new", "app", NAME]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("in a checkout"), "{refused:?}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

/// README shows the app as it is written, and it is as small as it says.
#[test]
fn readme_shows_what_is_written() {
    let checkout = Checkout::copy();
    assert_eq!(checkout.new_app(&[NAME]).code, Some(0));
    let app = checkout.read("apps/shelf2/src/lib.rs");
    assert_eq!(block_behind(&checkout.read("README.md"), "`apps/shelf/src/lib.rs`"), app);
    assert!(app.lines().count() <= 160, "two screens of 80 lines");
}

/// Everything README says, done: the app's own tests, those of what it publishes, its place under the umbrella and its route compile
/// without a warning and pass, and need no formatting.
#[test]
#[ignore = "builds most of the workspace once more, minutes from nothing: make test-new-app"]
fn a_new_app_compiles_and_its_tests_pass() {
    let checkout = Checkout::copy();
    assert_eq!(checkout.new_app(&[NAME]).code, Some(0));
    let readme = checkout.read("README.md");
    let route = block_behind(&readme, "`apps/gateway/src/routes/shelf.rs`");
    fs::write(checkout.path("apps/gateway/src/routes/shelf2.rs"), route).unwrap();
    let routes = "apps/gateway/src/routes/mod.rs";
    checkout.insert_above(routes, "mod users;", "mod shelf2;");
    checkout.insert_above(
        routes,
        "\"/health/live\"",
        block_behind(&readme, "and before `/health/live`").trim_end(),
    );

    let formatted = checkout.cargo(&["fmt", "--all", "--check"]);
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stdout));
    let tested = checkout.cargo(&["test", "--offline", "-p", NAME, "-p", "contracts", "-p", "umbel"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    assert!(tested.status.success(), "{stdout}\n{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    for test in [
        "an_item_is_put_in_once",
        "what_is_in_can_be_taken_out",
        "a_document_is_kept_while_its_item_is_in",
        "those_that_are_in_are_listed",
        "golden::every_sample_is_read_as_it_was",
        "apps::tests::an_app_is_listed_under_its_own_name",
    ] {
        assert!(stdout.contains(&format!("{test} ... ok")), "{test} did not run:\n{stdout}");
    }

    let wrong = checkout.cargo(&["run", "--offline", "-p", NAME, "--", "shelf2.listed_max=0"]);
    let stderr = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("shelf2.listed_max") && stderr.contains("a number from 1 to 1000"), "{stderr}");
}
