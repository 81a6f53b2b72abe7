//! Generations of projections: each is one building of a projection's documents, from the start of the log on. One of them serves
//! readers; another may be built beside it, and takes its place in one transaction when it has caught up.

use serde::{Deserialize, Serialize};

use crate::{
    document::{DocumentKey, DocumentQuery},
    json::Json,
    message::Request,
    store::StoreError,
    version::Position,
};

/// One building of a projection's documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The projection's name.
    pub projection: String,
    /// The version of the rule that it is built by.
    pub version: u32,
    /// Which building by this version it is, from 1.
    pub run: u32,
    /// What it is there for.
    pub phase: Phase,
    /// Where its checkpoint stands.
    pub position: Position,
    /// The log's head when it began. Events up to here are replayed to it, those behind are live.
    pub live_after: Position,
    /// What a store appends to the names of its collections to keep its documents apart from others'. Nothing for the first, unless
    /// another projection has documents under these names.
    #[serde(skip)]
    pub suffix: String,
    /// The collections that it writes.
    pub collections: Vec<String>,
    /// Their indexes, see [`OpenProjection::indexes`].
    #[serde(skip)]
    pub indexes: Vec<String>,
    /// The schema that holds its tables, where it has any.
    pub tables_in: Option<String>,
    /// The events that appends may project themselves, see [`OpenProjection::inline`].
    #[serde(skip)]
    pub inline: Vec<String>,
    /// Whether they do so: an append of these events writes its documents, or ends this. Then its documents show all that is in the log, and
    /// the checkpoint stands at the last of these events or behind it.
    pub joined: bool,
}

/// What a generation is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Readers get its documents.
    Serving,
    /// It catches up while another one serves.
    Building,
    /// Another one has taken its place, or the projection was dropped. It takes no more writes, and its documents are being removed.
    Retired,
    /// Its documents are gone. That it was there stays known, so that no late write finds a place.
    Removed,
}

/// Makes the generation that a version of a rule needs, unless it is there: one that serves if the projection has none, else one
/// that is built beside the older version that serves. A version older than the one that serves gets none. The answer is all
/// generations of the projection, in their order.
#[derive(Clone, Debug)]
pub struct OpenProjection {
    /// The projection's name.
    pub projection: String,
    /// The version of the caller's rule.
    pub version: u32,
    /// The collections that the rule writes.
    pub collections: Vec<String>,
    /// What documents of these are found by: `collection/index`, and `collection/` for each collection. Queries by an index that what serves
    /// was not built with are told so. Nothing: that is not known.
    pub indexes: Vec<String>,
    /// The events that its rule is about, if appends shall write its documents once it has caught up. Nothing: it only follows the log.
    pub inline: Vec<String>,
}

/// Asks for generations, those that are gone included; by name, then in their order. A projection has one for each version and for each
/// rebuild there ever was, so the list stays short.
#[derive(Clone, Debug)]
pub struct ListProjections {
    /// Of this projection only.
    pub projection: Option<String>,
}

/// Reads documents as a generation has them, whether it serves or not; to change them. Under a checkpoint that is no generation's these
/// are the documents under the collections' own names.
#[derive(Clone, Debug)]
pub struct LoadDocuments {
    /// The generation's checkpoint.
    pub checkpoint: String,
    /// Which; the answer has one entry for each, in this order.
    pub keys: Vec<DocumentKey>,
}

/// Lets a generation serve from now on: whoever reads gets its documents. Those before it in order are retired. It is one transaction,
/// done only if the checkpoint stands where it is expected and has come as far as the one that serves, so nobody reads what is older
/// than what they have read. One that serves already stays as it is.
///
/// One that has [events of its own](Generation::inline) is joined to the appends of these by the same transaction, unless there is such an
/// event behind the checkpoint: then it serves and follows the log. One that serves already may ask to be joined as well, and is refused
/// as long as there is one.
#[derive(Clone, Debug)]
pub struct SwitchProjection {
    /// The generation's checkpoint.
    pub checkpoint: String,
    /// Where it must stand.
    pub expected: Position,
}

/// Removes some documents of retired generations; whether there are more. It may be asked again at any time.
#[derive(Clone, Debug)]
pub struct RemoveRetired {
    /// The projection's name.
    pub projection: String,
}

/// Claims events up to a position for the hook of a projection, whichever of its generations and nodes asks. The answer is up to where
/// they were claimed before: what lies between is the caller's.
#[derive(Clone, Debug)]
pub struct ClaimLive {
    /// The projection's name.
    pub projection: String,
    /// Up to where.
    pub through: Position,
}

/// Why a generation does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// Another node was faster; go on from there.
    #[error("the checkpoint stands at {actual}, not where it was expected")]
    CheckpointMoved {
        /// Where it stands.
        actual: Position,
    },
    /// The one that serves has come further; or this one serves, and events are to be projected before appends may do it.
    #[error("what is to be served has come to {serving}; catch up with it first")]
    Behind {
        /// How far, or where the log ends.
        serving: Position,
    },
    /// Its place was taken by another one.
    #[error("this generation was retired; another one serves")]
    Retired,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DocumentQuery {
    /// The first index it uses that is not among these, see [`OpenProjection::indexes`]. None when these are not known.
    #[must_use]
    pub fn unserved(&self, indexes: &[String]) -> Option<String> {
        let is_there = |index: &str| {
            let mut names =
                indexes.iter().filter_map(|one| one.strip_prefix(&*self.collection)?.strip_prefix('/'));
            indexes.is_empty() || names.any(|name| name == index)
        };
        self.indexes().find(|index| !is_there(index)).map(str::to_owned)
    }
}

impl Generation {
    /// The name of its checkpoint: `name/version`, and for the second building by this version and those after it `name/version/run`.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        match self.run {
            1 => format!("{}/{}", self.projection, self.version),
            run => format!("{}/{}/{run}", self.projection, self.version),
        }
    }

    /// Whether it takes writes.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        matches!(self.phase, Phase::Serving | Phase::Building)
    }

    /// Under names of its own: when another projection has documents under them, the suffix tells whose these are. So a collection
    /// may change hands, and what its former owner still writes and then leaves is not the new one's.
    #[must_use]
    pub fn apart_from(mut self, all: &[Self]) -> Self {
        let is_taken = all.iter().any(|other| {
            other.projection != self.projection
                && other.phase != Phase::Removed
                && other.suffix == self.suffix
                && other.collections.iter().any(|one| self.collections.contains(one))
        });
        if is_taken {
            self.suffix = format!("@{}/{}.{}", self.projection, self.version, self.run);
        }
        self
    }

    /// Generations of a projection replace each other in this order.
    #[must_use]
    pub const fn order(&self) -> (u32, u32) {
        (self.version, self.run)
    }
}

impl OpenProjection {
    /// What is to be made, by the generations that there are of this projection.
    #[must_use]
    pub fn missing(&self, kept: &[Generation], head: Position) -> Option<Generation> {
        let serving = kept.iter().find(|one| one.phase == Phase::Serving);
        let is_there = kept.iter().any(|one| one.is_current() && one.version == self.version);
        if is_there || serving.is_some_and(|serving| serving.version > self.version) {
            return None;
        }
        let phase = if serving.is_some() { Phase::Building } else { Phase::Serving };
        let made_of = (&*self.collections, &*self.indexes, &*self.inline);
        Some(next(kept, (&self.projection, self.version), made_of, phase, head))
    }
}

/// What a rebuild on demand makes, by the generations that there are of the projection: the rule stays that of the one that serves.
/// `None` when none does.
#[must_use]
pub fn rebuilt(kept: &[Generation], head: Position) -> Option<Generation> {
    let serving = kept.iter().find(|one| one.phase == Phase::Serving)?;
    let Generation { projection, version, collections, indexes, inline, .. } = serving;
    Some(next(kept, (projection, *version), (collections, indexes, inline), Phase::Building, head))
}

fn next(
    kept: &[Generation],
    (projection, version): (&str, u32),
    (collections, indexes, inline): (&[String], &[String], &[String]),
    phase: Phase,
    live_after: Position,
) -> Generation {
    let runs = kept.iter().filter(|one| one.version == version).map(|one| one.run);
    let run = runs.max().unwrap_or(0).saturating_add(1);
    // What is left of one that was dropped is still to be removed under its names.
    let is_free = kept.iter().all(|one| one.phase == Phase::Removed || !one.suffix.is_empty());
    Generation {
        projection: projection.to_owned(),
        version,
        run,
        phase,
        position: Position::START,
        live_after,
        suffix: if phase == Phase::Serving && is_free { String::new() } else { format!("@{version}.{run}") },
        collections: collections.to_vec(),
        indexes: indexes.to_vec(),
        tables_in: None,
        inline: inline.to_vec(),
        joined: false,
    }
}

impl Request for OpenProjection {
    const NAME: &'static str = "store.open_projection";
    type Answer = Vec<Generation>;
    type Error = StoreError;
}

impl Request for ListProjections {
    const NAME: &'static str = "store.list_projections";
    type Answer = Vec<Generation>;
    type Error = StoreError;
}

impl Request for LoadDocuments {
    const NAME: &'static str = "store.load_documents";
    type Answer = Vec<Option<Json>>;
    type Error = StoreError;
}

impl Request for SwitchProjection {
    const NAME: &'static str = "store.switch_projection";
    type Answer = ();
    type Error = SwitchError;
}

impl Request for RemoveRetired {
    const NAME: &'static str = "store.remove_retired";
    type Answer = bool;
    type Error = StoreError;
}

impl Request for ClaimLive {
    const NAME: &'static str = "store.claim_live";
    type Answer = Position;
    type Error = StoreError;
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Position = Position::new(9);

    fn open(version: u32) -> OpenProjection {
        OpenProjection {
            projection: "a.b".into(),
            version,
            collections: vec!["a.c".into()],
            indexes: Vec::new(),
            inline: Vec::new(),
        }
    }

    fn made(kept: &[Generation], version: u32) -> Option<(String, Phase, String)> {
        open(version).missing(kept, HEAD).map(|one| (one.checkpoint(), one.phase, one.suffix))
    }

    #[test]
    fn the_first_serves_and_later_versions_are_built_beside_it() {
        let first = open(2).missing(&[], HEAD).unwrap();
        assert_eq!(
            (first.checkpoint(), first.phase, first.live_after),
            ("a.b/2".into(), Phase::Serving, HEAD)
        );
        assert_eq!((first.suffix.as_str(), first.collections.as_slice()), ("", &["a.c".to_owned()][..]));
        let kept = [first];
        assert_eq!(made(&kept, 2), None, "it is there");
        assert_eq!(made(&kept, 1), None, "it is superseded");
        assert_eq!(made(&kept, 3), Some(("a.b/3".into(), Phase::Building, "@3.1".into())));
    }

    #[test]
    fn a_collection_that_another_projection_has_gets_another_name() {
        let owner = open(1).missing(&[], HEAD).unwrap();
        let heir = Generation { projection: "a.heir".into(), ..owner.clone() };
        let apart = |others: &[Generation]| heir.clone().apart_from(others).suffix;
        assert_eq!(apart(std::slice::from_ref(&owner)), "@a.heir/1.1");
        assert_eq!(apart(&[Generation { phase: Phase::Retired, ..owner.clone() }]), "@a.heir/1.1");
        assert_eq!(apart(&[Generation { phase: Phase::Removed, ..owner.clone() }]), "");
        assert_eq!(apart(&[Generation { collections: vec!["a.d".into()], ..owner.clone() }]), "");
        assert_eq!(owner.clone().apart_from(&[owner]).suffix, "", "one's own is none of another");
    }

    #[test]
    fn what_is_opened_after_a_drop_is_apart_from_what_is_left() {
        let first = open(2).missing(&[], HEAD).unwrap();
        let anew = |phase| made(&[Generation { phase, ..first.clone() }], 2);
        assert_eq!(anew(Phase::Retired), Some(("a.b/2/2".into(), Phase::Serving, "@2.2".into())));
        assert_eq!(anew(Phase::Removed), Some(("a.b/2/2".into(), Phase::Serving, String::new())));
    }

    #[test]
    fn a_rebuild_keeps_the_version_and_takes_a_number_that_none_had() {
        assert_eq!(rebuilt(&[], HEAD), None);
        let mut kept = vec![open(2).missing(&[], HEAD).unwrap()];
        for (run, suffix) in [(2, "@2.2"), (3, "@2.3")] {
            let again = rebuilt(&kept, HEAD).unwrap();
            assert_eq!((again.checkpoint(), again.suffix.as_str()), (format!("a.b/2/{run}"), suffix));
            kept.push(Generation { phase: Phase::Removed, ..again });
        }
    }
}
