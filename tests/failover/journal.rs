//! What the nodes have handled, in the order in which they did: one file of all processes, to which each appends whole lines.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// An event that was handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) node: String,
    pub(super) key: String,
    pub(super) number: u64,
    /// Whether it came as a dead letter.
    pub(super) letter: bool,
}

/// What was handled, looked at as a whole.
#[derive(Debug, Default)]
pub(super) struct Handled {
    /// By key, the last number; all before it were handled, too, each for the first time behind the one before.
    pub(super) last: BTreeMap<String, u64>,
    /// How often each node has handled something first.
    pub(super) first: BTreeMap<String, u64>,
    /// What was handled again, with the node that did.
    pub(super) again: Vec<Line>,
}

pub(super) fn open(folder: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(folder.join("journal"))
}

/// One write for the whole line: the system puts it behind those of others.
pub(super) fn write(journal: &mut File, line: &Line) -> Result<(), String> {
    let text = serde_json::to_string(line).map_err(|error| error.to_string())?;
    journal.write_all(format!("{text}\n").as_bytes()).map_err(|error| error.to_string())
}

/// All lines that are whole.
pub(super) fn lines(folder: &Path) -> Vec<Line> {
    let text = fs::read_to_string(folder.join("journal")).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Handled {
    /// Fails where the first handling of an event came before that of one before it in its key.
    #[track_caller]
    pub(super) fn of(lines: Vec<Line>) -> Self {
        let mut handled = Self::default();
        for line in lines {
            let last = handled.last.entry(line.key.clone()).or_default();
            assert!(line.number <= *last + 1, "{line:?} was handled behind number {last}");
            if line.number == *last + 1 {
                *last = line.number;
                *handled.first.entry(line.node).or_default() += 1;
            } else {
                handled.again.push(line);
            }
        }
        handled
    }

    /// How often this node was the first.
    pub(super) fn first_by(&self, node: &str) -> u64 {
        self.first.get(node).copied().unwrap_or_default()
    }
}

/// The checker itself.
#[test]
fn a_swap_is_noticed_and_a_repetition_is_none() {
    let line = |number| Line { node: "a".into(), key: "k".into(), number, letter: false };
    let handled = Handled::of([1, 2, 3, 2, 3, 4].map(line).into());
    assert_eq!((handled.last["k"], handled.first_by("a"), handled.again.len()), (4, 4, 2));
    assert!(std::panic::catch_unwind(|| Handled::of([1, 3, 2].map(line).into())).is_err());
}
