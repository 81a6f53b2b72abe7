//! Snapshots: a state made of somebody's events is sealed whole, so that it cannot outlive their keys.
//!
//! Whose events a state is made of, the store knows itself: it asks for the subjects of the stream's events. The state is encrypted
//! with a key of its own, and that key by those of all subjects, one around the other. So once one of them is forgotten the
//! snapshot is none any more, here and in every copy, and the stream is folded anew.
//!
//! A snapshot names its subjects, so that the next one of the stream need only ask about the events behind it.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Json, StreamName, Subject, Version,
    personal::FORGOTTEN_KEY,
    store::{ListSnapshots, Snapshot, StoreError},
};

use super::{
    Vault,
    cipher::{Cipher, Closed, Place, random},
    keys::Found,
};

/// What every wrapped state begins with, as it is written.
const BEGINNING: &str = r#"{"$subjects":"#;

/// What is kept in place of the state.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    /// Whose events the state is made of. The first field; see [`BEGINNING`].
    #[serde(rename = "$subjects")]
    subjects: Vec<Subject>,
    /// The state when it need not be sealed.
    #[serde(rename = "$state", default, skip_serializing_if = "Option::is_none")]
    state: Option<Json>,
    #[serde(rename = "$sealed", default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
}

/// A state that is sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    /// By whose keys, the innermost first.
    by: Vec<Subject>,
    /// The state's own key, sealed, as base64.
    key: String,
    /// The state, sealed, as base64.
    state: String,
}

impl Vault {
    /// Seals and keeps a snapshot unless there is one of a newer version; whether it was kept. One of a stream that holds events of
    /// somebody forgotten is not kept: it may have been taken of a state from before that, and whether one still knows of him cannot
    /// be seen in it, for an app may take values out of what marks them as personal.
    pub(crate) async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        let subjects = self.subjects_of(&snapshot).await?;
        let keys = self.keys.find(subjects.iter().cloned().collect()).await?;
        let is_gone = |subject| matches!(keys.get(subject), Some(None));
        if subjects.iter().any(is_gone) {
            return Ok(false);
        }
        let data = wrapped(&snapshot, subjects, &keys)?;
        self.adapter.save_snapshot(Snapshot { data, ..snapshot }).await
    }

    /// The snapshot of a stream, opened; none when it is of somebody forgotten.
    ///
    /// # Errors
    /// When it is damaged, or the keys cannot be read.
    pub(crate) async fn load_snapshot(&self, stream: StreamName) -> Result<Option<Snapshot>, StoreError> {
        match self.adapter.load_snapshot(stream).await? {
            Some(snapshot) => self.opened(snapshot).await.map(Result::ok),
            None => Ok(None),
        }
    }

    /// A page of the list of snapshots, opened. Those of somebody forgotten are in it, with nothing but that for a state.
    ///
    /// # Errors
    /// As [`Vault::load_snapshot`].
    pub(crate) async fn list_snapshots(&self, request: ListSnapshots) -> Result<Vec<Snapshot>, StoreError> {
        let mut snapshots = self.adapter.list_snapshots(request).await?;
        for snapshot in &mut snapshots {
            *snapshot = self.opened(snapshot.clone()).await?.unwrap_or_else(|forgotten| forgotten);
        }
        Ok(snapshots)
    }

    /// Whose events a snapshot is made of: those of the one before it, and those who came since.
    async fn subjects_of(&self, snapshot: &Snapshot) -> Result<Vec<Subject>, StoreError> {
        let (mut subjects, mut behind) = (Vec::new(), Version::START);
        if let Some(before) = self.adapter.load_snapshot(snapshot.stream.clone()).await? {
            subjects = unwrapped(&before)?.map_or_else(Vec::new, |wrapped| wrapped.subjects);
            behind = before.version;
        }
        if behind < snapshot.version {
            let stream = snapshot.stream.clone();
            subjects.extend(self.adapter.find_subjects(stream, behind, snapshot.version).await?);
        }
        subjects.sort_unstable();
        subjects.dedup();
        Ok(subjects)
    }

    /// The snapshot as it was taken, or what is left of it when it is of somebody forgotten.
    async fn opened(&self, snapshot: Snapshot) -> Result<Result<Snapshot, Snapshot>, StoreError> {
        let Some(Wrapped { state, sealed, .. }) = unwrapped(&snapshot)? else { return Ok(Ok(snapshot)) };
        let state = match (state, sealed) {
            (Some(state), None) => Some(state),
            (None, Some(sealed)) => {
                let keys = self.keys.find(sealed.by.iter().cloned().collect()).await?;
                opened_state(&snapshot, &sealed, &keys)?
            }
            _ => return Err(damaged(&snapshot)),
        };
        Ok(match state {
            Some(data) => Ok(Snapshot { data, ..snapshot }),
            None => {
                let data = Json::from_store(format!(r#"{{"{FORGOTTEN_KEY}":true}}"#));
                Err(Snapshot { data, ..snapshot })
            }
        })
    }
}

/// The state as it is kept: as it is when it is nobody's.
fn wrapped(snapshot: &Snapshot, subjects: Vec<Subject>, keys: &Found) -> Result<Json, StoreError> {
    // Something of the same look must not be taken for what is written here.
    if subjects.is_empty() && !snapshot.data.as_str().starts_with(BEGINNING) {
        return Ok(snapshot.data.clone());
    }
    // Who has no key had no personal data in any event so far.
    let live: Vec<_> =
        subjects.iter().filter_map(|subject| Some((subject, keys.get(subject)?.as_ref()?))).collect();
    let wrapped = if live.is_empty() {
        Wrapped { subjects, state: Some(snapshot.data.clone()), sealed: None }
    } else {
        let sealed = Some(sealed_state(snapshot, &live)?);
        Wrapped { subjects, state: None, sealed }
    };
    Json::encode(&wrapped).map_err(|error| StoreError::Failed { reason: error.to_string() })
}

fn sealed_state(snapshot: &Snapshot, by: &[(&Subject, &Arc<Cipher>)]) -> Result<Sealed, StoreError> {
    let place = |number| Place::of_snapshot(&snapshot.stream, snapshot.version, number);
    let own: [u8; 32] = random()?;
    let state = Cipher::new(&own).seal(place(0), snapshot.data.as_str().as_bytes())?;
    let mut key = own.to_vec();
    for (number, (_, cipher)) in (1..).zip(by) {
        key = cipher.seal(place(number), &key)?;
    }
    Ok(Sealed {
        by: by.iter().map(|(subject, _)| (*subject).clone()).collect(),
        key: BASE64_STANDARD.encode(key),
        state: BASE64_STANDARD.encode(state),
    })
}

/// The state; none without one of the keys.
fn opened_state(snapshot: &Snapshot, sealed: &Sealed, keys: &Found) -> Result<Option<Json>, StoreError> {
    let place = |number| Place::of_snapshot(&snapshot.stream, snapshot.version, number);
    let decoded = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| damaged(snapshot));
    let mut key = decoded(&sealed.key)?;
    for (before, subject) in sealed.by.iter().enumerate().rev() {
        let Some(cipher) = keys.get(subject).cloned().flatten() else { return Ok(None) };
        key = match cipher.open(place(before + 1), &key) {
            Ok(key) => key,
            Err(Closed::OtherKey) => return Ok(None),
            Err(Closed::Damaged) => return Err(damaged(snapshot)),
        };
    }
    let own: [u8; 32] = key.try_into().map_err(|_| damaged(snapshot))?;
    let state = Cipher::new(&own).open(place(0), &decoded(&sealed.state)?).map_err(|_| damaged(snapshot))?;
    let state = String::from_utf8(state).map_err(|_| damaged(snapshot))?;
    Ok(Some(Json::from_store(state)))
}

/// What a snapshot is wrapped in, if it is.
fn unwrapped(snapshot: &Snapshot) -> Result<Option<Wrapped>, StoreError> {
    if !snapshot.data.as_str().starts_with(BEGINNING) {
        return Ok(None);
    }
    snapshot.data.decode().map(Some).map_err(|_| damaged(snapshot))
}

fn damaged(snapshot: &Snapshot) -> StoreError {
    let reason = format!(
        "the snapshot of {} was changed or put there; remove it by `umbel snapshots delete`, it is taken again",
        snapshot.stream
    );
    StoreError::Corrupt { reason }
}
