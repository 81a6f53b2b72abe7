//! What a new app changes in a checkout, pure: the files it adds, and the lines it adds to files that are there.

use anyhow::{Context, Result, bail};

use super::AppName;

/// Where the launcher lists the apps.
pub(super) const APPS: &str = "apps/launcher/src/apps.rs";

const ROOT_MANIFEST: &str = "Cargo.toml";
/// What cargo changes as soon as there is another crate.
pub(super) const LOCK: &str = "Cargo.lock";
const LAUNCHER_MANIFEST: &str = "apps/launcher/Cargo.toml";
const CONTRACTS: &str = "shared/contracts/src/lib.rs";
const SETTINGS: &str = "config/default.toml";

/// The files of an app and the templates they are made of. In both, `app_name` stands for its name.
const FILES: &[(&str, &str)] = &[
    ("apps/app_name/Cargo.toml", include_str!("../../templates/new_app/manifest.toml")),
    ("apps/app_name/src/lib.rs", include_str!("../../templates/new_app/lib.rs")),
    ("apps/app_name/src/main.rs", include_str!("../../templates/new_app/main.rs")),
    ("apps/app_name/src/settings.rs", include_str!("../../templates/new_app/settings.rs")),
    ("shared/contracts/src/app_name.rs", include_str!("../../templates/new_app/contracts.rs")),
    (
        "shared/contracts/golden/app_name.put_in.1.json",
        include_str!("../../templates/new_app/golden/put_in.json"),
    ),
    (
        "shared/contracts/golden/app_name.taken_out.1.json",
        include_str!("../../templates/new_app/golden/taken_out.json"),
    ),
];

/// The lines an app adds. `AppName` stands for its name in the names of types.
const PLACES: &[Place] = &[
    Place {
        file: ROOT_MANIFEST,
        marker: "# umbel new app: members",
        key: "\"apps/app_name\"",
        line: "    \"apps/app_name\",",
    },
    Place {
        file: ROOT_MANIFEST,
        marker: "# umbel new app: dependencies",
        key: "app_name ",
        line: "app_name = { path = \"apps/app_name\", default-features = false }",
    },
    Place {
        file: LAUNCHER_MANIFEST,
        marker: "# umbel new app: dependencies",
        key: "app_name.",
        line: "app_name.workspace = true",
    },
    Place {
        file: APPS,
        marker: "// umbel new app: apps",
        key: "(\"app_name\",",
        line: "    (\"app_name\", |all| Ok(app_name::app(all.section(\"app_name\")?))),",
    },
    Place {
        file: CONTRACTS,
        marker: "// umbel new app: modules",
        key: "pub mod app_name;",
        line: "pub mod app_name;",
    },
    Place {
        file: CONTRACTS,
        marker: "// umbel new app: events",
        key: "AppNamePutIn(",
        line: "        AppNamePutIn(app_name::PutIn),",
    },
    Place {
        file: CONTRACTS,
        marker: "// umbel new app: events",
        key: "AppNameTakenOut(",
        line: "        AppNameTakenOut(app_name::TakenOut),",
    },
    Place {
        file: SETTINGS,
        marker: "# umbel new app: settings",
        key: "[app_name]",
        line: "\
# The app_name app.
[app_name]
# Items that are listed at most, the first by name: a number from 1 to 1000. Bounds the answer, not what the app may hold.
listed_max = 100
",
    },
];

/// A line, or several, and the marker above which it goes: modules in their order, everything else last.
struct Place {
    file: &'static str,
    marker: &'static str,
    /// What no other line may begin with.
    key: &'static str,
    line: &'static str,
}

/// One file to write.
#[derive(Debug)]
pub(super) struct Change {
    /// From the root of the checkout.
    pub(super) path: String,
    /// All it shall hold.
    pub(super) text: String,
    pub(super) planned: Planned,
}

/// What is there now.
#[derive(Debug)]
pub(super) enum Planned {
    /// Nothing.
    New,
    /// A file with this text.
    Changed { before: String },
}

/// Everything to write, or why it cannot be. `read` gives the text of a file, `None` where there is none.
///
/// # Errors
/// When something of this name is there, or a marked place is missing; says what to do.
pub(super) fn plan(name: &AppName, read: impl Fn(&str) -> Result<Option<String>>) -> Result<Vec<Change>> {
    let folder = format!("apps/{name}");
    let mut changes = Vec::new();
    let new = FILES.iter().map(|(path, template)| (fill(path, name), fill(template, name)));
    for (path, text) in new {
        if let Some(there) = [&folder, &path].into_iter().find_map(|path| is_there(path, &read).transpose()) {
            bail!("{} is there already; nothing is overwritten, choose another name", there?);
        }
        changes.push(Change { path, text, planned: Planned::New });
    }
    let lock =
        read(LOCK)?.with_context(|| format!("{LOCK} is missing; `cargo generate-lockfile` makes it"))?;
    let crates = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    if let Some(taken) = crates.into_iter().find(|taken| taken.replace('-', "_") == name.to_string()) {
        bail!("a crate is called {taken} already ({LOCK} lists it); choose another name");
    }
    for place in PLACES {
        let known = changes.iter().position(|change| change.path == place.file);
        let index = match known {
            Some(index) => index,
            None => {
                let before = read(place.file)?.with_context(|| format!("{} is missing", place.file))?;
                let (path, text) = (place.file.to_owned(), before.clone());
                changes.push(Change { path, text, planned: Planned::Changed { before } });
                changes.len() - 1
            }
        };
        let change = &mut changes[index];
        change.text = place.add_to(&change.text, name)?;
    }
    Ok(changes)
}

fn is_there(path: &str, read: impl Fn(&str) -> Result<Option<String>>) -> Result<Option<String>> {
    Ok(read(path)?.map(|_| path.to_owned()))
}

fn fill(template: &str, name: &AppName) -> String {
    template.replace("app_name", &name.to_string()).replace("AppName", &name.camel())
}

impl Place {
    fn add_to(&self, text: &str, name: &AppName) -> Result<String> {
        let Self { file, marker, .. } = self;
        let line = fill(self.line, name);
        let lines: Vec<_> = text.lines().collect();
        let marked: Vec<_> = (0..lines.len()).filter(|&at| lines[at].trim() == *marker).collect();
        let &[marked] = marked.as_slice() else {
            bail!(
                "{file} has {} lines `{marker}` and needs exactly one: put it behind the last line that is like `{}`",
                marked.len(),
                line.trim()
            );
        };
        let key = fill(self.key, name);
        if lines.iter().any(|there| there.trim_start().starts_with(&key)) {
            bail!("{file} has a line `{key}` already; choose another name");
        }
        let at = match module(&line) {
            Some(new) => {
                // The modules right above the marker; those that sort behind the new one stay behind it.
                let behind = lines[..marked].iter().rev().map_while(|line| module(line));
                marked - behind.take_while(|there| *there > new).count()
            }
            None => marked,
        };
        let mut all = lines;
        all.insert(at, &line);
        Ok(all.join("\n") + "\n")
    }
}

/// The module that a line declares.
fn module(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that no app of this checkout has, whatever is added to it.
    const UNUSED: &str = "unused_by_any_app";

    fn name(text: &str) -> AppName {
        text.parse().unwrap()
    }

    /// A file of this very checkout.
    fn read(path: &str) -> Result<Option<String>> {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        super::super::read(root, path)
    }

    fn text<'a>(changes: &'a [Change], path: &str) -> &'a str {
        &changes.iter().find(|change| change.path == path).unwrap().text
    }

    #[test]
    fn this_checkout_has_the_marked_places() {
        let changes = plan(&name(UNUSED), read).unwrap();
        assert_eq!(changes.len(), FILES.len() + 5);
        for change in &changes {
            assert!(!change.text.contains("app_name") && !change.text.contains("AppName"), "{}", change.path);
            let Planned::Changed { before } = &change.planned else { continue };
            let gone = before.lines().filter(|line| !change.text.lines().any(|kept| kept == *line));
            assert_eq!(gone.count(), 0, "{} loses lines", change.path);
            let places = PLACES.iter().filter(|place| place.file == change.path);
            let added: usize = places.map(|place| place.line.split('\n').count()).sum();
            assert_eq!(change.text.lines().count(), before.lines().count() + added, "{}", change.path);
        }
        let modules = text(&changes, CONTRACTS).lines().filter_map(module);
        let modules: Vec<_> = modules.take_while(|module| *module != "golden").collect();
        assert!(modules.contains(&UNUSED) && modules.is_sorted(), "{modules:?}");
        assert!(
            text(&changes, CONTRACTS).contains("        UnusedByAnyAppPutIn(unused_by_any_app::PutIn),\n")
        );
    }

    #[test]
    fn what_is_there_is_refused() {
        for (taken, why) in [
            ("accounts", "apps/accounts is there"),
            ("serde_json", "a crate is called serde_json"),
            ("comments", "shared/contracts/src/comments.rs is there"),
            ("launcher", "apps/launcher is there"),
            ("telemetry", "config/default.toml has a line `[telemetry]` already"),
        ] {
            let refused = plan(&name(taken), read).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        let with_event = |path: &str| {
            let text = read(path)?;
            Ok(text.map(|text| text.replace("        Followed(", "        UnusedByAnyAppPutIn(")))
        };
        let refused = plan(&name(UNUSED), with_event).unwrap_err().to_string();
        assert!(refused.contains("`UnusedByAnyAppPutIn(`"), "{refused}");
    }

    /// Every marker that is missing, or there twice, is named with its file and what to do.
    #[test]
    fn a_missing_place_is_named() {
        for Place { file, marker, .. } in PLACES {
            for there in ["", "\u{20}\n"] {
                let instead = if there.is_empty() { String::new() } else { format!("{marker}\n{marker}") };
                let damaged = |path: &str| {
                    let text = read(path)?;
                    Ok(text.map(|text| if path == *file { text.replace(marker, &instead) } else { text }))
                };
                let refused = plan(&name(UNUSED), damaged).unwrap_err().to_string();
                assert!(refused.contains(file) && refused.contains(marker), "{refused}");
            }
        }
    }
}
