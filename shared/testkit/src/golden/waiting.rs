//! Golden samples of commands that wait in the store: planned for later, recurring, or ordered by a process manager.
//!
//! As for events, a folder holds a sample of each command in each shape that it ever had: `articles.close.1.json`, or with a word behind it
//! `articles.close.1.by_admin.json`. One that is not of the newest shape and name has beside it what it becomes, `articles.close.1.newest.json`.

use std::{fmt, path::Path};

use serde_json::Value;
use umbel_core::{Command, EventType, Json, waiting};

use super::{Files, NEWEST, Shape, files, problems};

/// A kind of command that waits, with its past.
#[derive(Clone, Copy)]
pub struct Waiting {
    name: &'static str,
    formerly: &'static [&'static str],
    schema: u32,
    /// What a stored one is as it would be stored today.
    renew: fn(u32, &Json) -> Result<Value, String>,
}

impl Waiting {
    /// That of a type.
    #[must_use]
    pub const fn of<C: Command>() -> Self {
        let (name, formerly, schema) = (C::NAME, C::FORMERLY, waiting::schema_of::<C>());
        Self { name, formerly, schema, renew: renewed::<C> }
    }

    fn has_name(&self, name: &str) -> bool {
        self.name == name || self.formerly.contains(&name)
    }

    fn shapes(&self) -> impl Iterator<Item = Shape> {
        let names = [&[self.name], self.formerly].concat();
        (1..=self.schema).map(move |schema| Shape { names: names.clone(), schema })
    }
}

/// Fails the test unless all samples of the folder are read as they were, and none of these commands lacks one; says everything that is
/// wrong. What waits under a shape is as good as an event until it is carried out: a recurring command, or one that is tried again, waits for long.
///
/// ```no_run
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Serialize, Deserialize)]
/// # struct Close {}
/// # impl umbel_core::Command for Close { const NAME: &'static str = "bank.close"; type Reply = (); type Rejection = String; }
/// use umbel_testkit::golden::{Waiting, check_waiting};
/// // In a test:
/// check_waiting(&[Waiting::of::<Close>()], concat!(env!("CARGO_MANIFEST_DIR"), "/golden"));
/// ```
#[track_caller]
pub fn check_waiting(commands: &[Waiting], folder: impl AsRef<Path>) {
    let folder = folder.as_ref();
    let problems = problems_of_commands(commands, &files(folder));
    assert!(problems.is_empty(), "golden samples in {}:\n  {}\n", folder.display(), problems.join("\n  "));
}

fn renewed<C: Command>(schema: u32, stored: &Json) -> Result<Value, String> {
    let command = waiting::decode::<C>(schema, stored).map_err(|error| error.to_string())?;
    Json::encode(&command).and_then(|json| json.decode()).map_err(|error| error.to_string())
}

fn problems_of_commands(commands: &[Waiting], files: &Files) -> Vec<String> {
    let shapes = commands.iter().flat_map(Waiting::shapes);
    problems(files, shapes, |shape, sample, newest| check_sample(commands, shape, &sample, newest))
}

/// What is wrong with a sample.
fn check_sample(
    commands: &[Waiting],
    shape: &EventType,
    sample: &Json,
    newest: Option<&str>,
) -> Option<String> {
    let Some(command) = commands.iter().find(|command| command.has_name(&shape.name)) else {
        return Some(format!("no command has {} in its past any more, but stores may hold it", shape.name));
    };
    let today = match (command.renew)(shape.schema, sample) {
        Ok(today) => today,
        Err(error) => return Some(format!("not read any more: {error}")),
    };
    if command.name == &*shape.name && command.schema == shape.schema {
        let same = sample.decode::<Value>().is_ok_and(|sample| sample == today);
        return (!same).then(|| {
            format!("the shape was changed: it comes back as {today}; give it a new schema version and an upcaster")
        });
    }
    let Some(newest) = newest else {
        return Some(format!(
            "beside it a file with the ending {NEWEST}.json shall hold what it becomes: {today}"
        ));
    };
    match Json::parse(newest).and_then(|newest| newest.decode::<Value>()) {
        Ok(expected) => (expected != today).then(|| format!("it becomes {today} now, not {expected}")),
        Err(error) => Some(format!("what it becomes is not JSON: {error}")),
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.schema)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use umbel_core::CommandUpcaster;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Close {
        owner: String,
    }

    impl Command for Close {
        const NAME: &'static str = "bank.close";
        const SCHEMA: u32 = 2;
        const FORMERLY: &'static [&'static str] = &["bank.end"];
        const UPCASTERS: &'static [CommandUpcaster] =
            &[|old| Ok(Json::encode(&json!({ "owner": old.decode::<String>()? }))?)];
        type Reply = ();
        type Rejection = String;
    }

    fn good() -> Files {
        let files = [
            ("bank.end.1", json!("Ada")),
            ("bank.end.1.newest", json!({ "owner": "Ada" })),
            ("bank.close.2", json!({ "owner": "Bob" })),
            ("bank.close.2.noname", json!({ "owner": "" })),
        ];
        files.into_iter().map(|(name, data)| (name.to_owned(), data.to_string())).collect()
    }

    /// UX-18: samples of all shapes in which a command may wait pass; one that changed, that is not read, that becomes something else or is
    /// missing fails.
    #[test]
    fn what_waits_is_read_as_it_was() {
        let close = [Waiting::of::<Close>()];
        assert_eq!(problems_of_commands(&close, &good()), [""; 0]);
        let cases = [
            ("bank.close.2", Some(json!({ "owner": "Ada", "since": 1 })), "the shape was changed"),
            ("bank.close.2", Some(json!({})), "not read any more"),
            ("bank.close.3", Some(json!({})), "not read any more"),
            ("bank.end.1", Some(json!(1)), "the upcaster of bank.close/1"),
            ("bank.end.1", Some(json!("Eve")), "it becomes"),
            ("bank.end.1", None, "there is no sample bank.end.1.json"),
            ("bank.end.1.newest", None, "shall hold what it becomes"),
            ("bank.open.1", Some(json!({})), "in its past any more"),
            ("bank", Some(json!({})), "not called"),
        ];
        for (name, data, problem) in cases {
            let mut files = good();
            match data {
                Some(data) => drop(files.insert(name.to_owned(), data.to_string())),
                None => drop(files.remove(name)),
            }
            let found = problems_of_commands(&close, &files);
            assert!(found.iter().any(|found| found.contains(problem)), "{name}: {found:?}");
        }
        let all = problems_of_commands(&close, &Files::new());
        assert_eq!(all.len(), 2, "{all:?}");
    }
}
