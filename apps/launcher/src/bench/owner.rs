//! Whose a scratch place is, so that the next bench can remove what one that was killed has left behind.

use std::{fmt, fs, process};

use umbel_persistence::{StoreSettings, floor::Scratch};

/// What `owner` says of a process.
const BENCH: &str = "umbel bench";

/// A process that works in a scratch place. Numbers of processes are given out again, so the moment when it began belongs to it,
/// and they mean something only on their own machine, or in their own container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    machine: String,
    process: u32,
    /// As the kernel counts: in ticks since the machine was started.
    began: String,
}

/// What is known of an owner here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Working,
    Gone,
    /// It is of another machine, or nobody's.
    Unknown,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Self {
        let process = process::id();
        Self { machine: machine(), process, began: began(process).unwrap_or_default() }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(BENCH)?.split_whitespace();
        let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        let (machine, process, began) = (part("machine")?, part("process")?, part("began")?);
        Some(Self { machine, process: process.parse().ok()?, began })
    }

    fn known(&self) -> Known {
        if self.machine != machine() {
            Known::Unknown
        } else if began(self.process).is_some_and(|began| began == self.began) {
            Known::Working
        } else {
            Known::Gone
        }
    }
}

/// Removes the scratch places beside this store whose benches are gone, and tells of those of which nobody can know from here.
/// What cannot be looked at is left as it is: the bench itself will tell why.
pub(super) async fn clear_up(store: &StoreSettings, tell: impl Fn(&str)) {
    for found in Scratch::all_beside(store).await.unwrap_or_default() {
        let name = &found.name;
        match found.owner.as_deref().and_then(Owner::parse).map_or(Known::Unknown, |owner| owner.known()) {
            Known::Working => {}
            Known::Gone => match found.remove().await {
                Ok(()) => tell(&format!("removed {name}, which a bench that was killed has left behind")),
                Err(error) => tell(&format!("{error}; remove it with: {}", found.how_to_remove())),
            },
            Known::Unknown => tell(&format!(
                "{name} is there, perhaps left behind by a bench that was killed elsewhere; if none is working there, remove \
                 it with: {}",
                found.how_to_remove()
            )),
        }
    }
}

/// The name of this machine and of the set of processes that this one knows of.
fn machine() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let processes = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", host.trim(), processes.display())
}

/// When a process began, if there is one of this number.
fn began(process: u32) -> Option<String> {
    let about = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; what begins behind it is the third field, and this is the 22nd.
    let (_, behind) = about.rsplit_once(')')?;
    behind.split_whitespace().nth(19).map(str::to_owned)
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, process, began } = self;
        write!(f, "{BENCH} machine={machine} process={process} began={began}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_known_by_what_it_says() {
        let this = Owner::this();
        assert_eq!(Owner::parse(&this.to_string()), Some(this.clone()));
        assert_eq!(this.known(), Known::Working);
        let before = Owner { began: "1".into(), ..this.clone() };
        assert_eq!(before.known(), Known::Gone, "the number was given out again");
        // Beyond what Linux gives out.
        assert_eq!(Owner { process: u32::MAX, ..this.clone() }.known(), Known::Gone);
        assert_eq!(Owner { machine: "elsewhere/pid:[1]".into(), ..this }.known(), Known::Unknown);
        for other in ["", "a schema of mine", "umbel bench", "umbel bench machine=a process=b began=c"] {
            assert_eq!(Owner::parse(other), None, "{other}");
        }
    }
}
