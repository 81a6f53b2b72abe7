//! The past of a kind of event: the names and shapes in which logs hold it, and how each becomes the next.

use crate::{
    event::{Event, Upcaster},
    event_name::EventName,
};

/// A name with all shapes it ever had. Made by [`Lineage::of`] for a kind of event, by [`Lineage::retired`] for one that is none any
/// more.
#[derive(Clone, Copy, Debug)]
pub struct Lineage {
    name: &'static str,
    formerly: &'static [&'static str],
    schema: u32,
    upcasters: &'static [Upcaster],
    succeeds: &'static [Self],
    retired: bool,
}

/// Names, each once. For [`events!`](crate::events), which makes a constant of them.
#[derive(Debug)]
pub struct Names<const MAX: usize> {
    names: [&'static str; MAX],
    count: usize,
}

impl Lineage {
    /// That of a kind of event.
    ///
    /// # Panics
    /// While compiling, unless there is an upcaster for each schema version before the newest.
    #[must_use]
    pub const fn of<E: Event>() -> Self {
        let (upcasters, schema) = (E::UPCASTERS, E::SCHEMA);
        assert!(
            schema == version_behind(upcasters),
            "an event of schema version n has n - 1 upcasters, one for each version before"
        );
        Self {
            name: E::NAME,
            formerly: E::FORMERLY,
            schema,
            upcasters,
            succeeds: E::SUCCEEDS,
            retired: false,
        }
    }

    /// That of a name which no program writes any more: its last upcaster leads to events of other names, or to none.
    #[must_use]
    pub const fn retired(name: &'static str, upcasters: &'static [Upcaster]) -> Self {
        let schema = version_behind(upcasters);
        Self { name, formerly: &[], schema, upcasters, succeeds: &[], retired: true }
    }

    /// The name it has now, or had last.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The names it had before.
    #[must_use]
    pub const fn formerly(&self) -> &'static [&'static str] {
        self.formerly
    }

    /// The newest version of its shape in logs; 0 of one that never had any.
    #[must_use]
    pub const fn newest(&self) -> u32 {
        if self.retired { self.schema.saturating_sub(1) } else { self.schema }
    }

    /// What events of it may also have been before: see [`Event::SUCCEEDS`].
    #[must_use]
    pub const fn succeeds(&self) -> &'static [Self] {
        self.succeeds
    }

    /// Every name under which logs may hold events that become one of it, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = vec![self.name];
        let before = self.succeeds.iter().flat_map(Self::names);
        for name in self.formerly.iter().copied().chain(before) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Whether no program writes it any more.
    #[must_use]
    pub const fn is_retired(&self) -> bool {
        self.retired
    }

    pub(super) const fn schema(&self) -> u32 {
        self.schema
    }

    /// The upcaster of a version of its shape; none for the newest.
    pub(super) fn upcaster(&self, schema: u32) -> Option<Upcaster> {
        let index = usize::try_from(schema.checked_sub(1)?).ok()?;
        self.upcasters.get(index).copied()
    }

    /// Its name now, of which no copy is made.
    pub(super) const fn known_name(&self) -> EventName {
        EventName::known(self.name)
    }

    /// Whether it has this name, or had it.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.name == name || self.formerly.contains(&name)
    }
}

/// The lineage that a name belongs to, and whether it is one of these themselves rather than of what they succeed.
pub(super) fn find<'a>(lineages: &'a [Lineage], name: &str) -> Option<(&'a Lineage, bool)> {
    let own = lineages.iter().find(|lineage| lineage.has_name(name)).map(|lineage| (lineage, true));
    let before = || lineages.iter().find_map(|lineage| find(lineage.succeeds, name));
    own.or_else(|| before().map(|(lineage, _)| (lineage, false)))
}

/// How many names these have at most.
#[must_use]
pub const fn count_names(lineages: &[Lineage]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < lineages.len() {
        count += 1 + lineages[at].formerly.len() + count_names(lineages[at].succeeds);
        at += 1;
    }
    count
}

impl<const MAX: usize> Names<MAX> {
    /// The names of these, and of what they succeed.
    #[must_use]
    pub const fn of(lineages: &[Lineage]) -> Self {
        Self { names: [""; MAX], count: 0 }.with_all(lineages)
    }

    /// They.
    #[must_use]
    pub const fn get(&self) -> &[&'static str] {
        self.names.split_at(self.count).0
    }

    const fn with_all(mut self, lineages: &[Lineage]) -> Self {
        let mut at = 0;
        while at < lineages.len() {
            let Lineage { name, formerly, succeeds, .. } = lineages[at];
            self = self.with(name);
            let mut former = 0;
            while former < formerly.len() {
                self = self.with(formerly[former]);
                former += 1;
            }
            self = self.with_all(succeeds);
            at += 1;
        }
        self
    }

    const fn with(mut self, name: &'static str) -> Self {
        let mut at = 0;
        while at < self.count {
            if is_same(self.names[at], name) {
                return self;
            }
            at += 1;
        }
        self.names[self.count] = name;
        self.count += 1;
        self
    }
}

/// The version that the last of these leads to.
pub(crate) const fn version_behind<T>(upcasters: &[T]) -> u32 {
    let (mut version, mut at) = (1, 0);
    while at < upcasters.len() {
        version += 1;
        at += 1;
    }
    version
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
