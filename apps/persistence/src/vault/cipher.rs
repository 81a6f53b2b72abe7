//! Sealing and opening of one value with the key of its subject: ChaCha20-Poly1305.
//!
//! What is sealed is, in this order: the key's fingerprint (4 bytes), the nonce (12, random), the ciphertext, the tag (16). The
//! event's id and the value's number in it are authenticated with it, so that it opens nowhere else.

use std::fmt;

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use umbel_core::{EventId, StreamName, Version, store::StoreError};
use uuid::Uuid;

const FINGERPRINT_LEN: usize = 4;

/// Set before the key where its fingerprint is computed, so that no other use of the same hash tells anything of it.
const FINGERPRINT_OF: &[u8] = b"umbel subject key";

/// The same where the place of a snapshot is computed.
const SNAPSHOT_OF: &[u8] = b"umbel snapshot";

/// The same of a document and of an entry of the outbox.
const DOCUMENT_OF: &[u8] = b"umbel document";
const ENTRY_OF: &[u8] = b"umbel entry";

/// The key of one subject, ready for use.
pub(super) struct Cipher {
    key: LessSafeKey,
    /// Tells values of another key, which was lost, from damaged ones.
    fingerprint: [u8; FINGERPRINT_LEN],
}

/// Where a sealed value is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) event: EventId,
    /// Among the sealed values of the event.
    pub(super) number: usize,
}

/// Why a value did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It was sealed with another key. As a subject has one key only, that one was lost.
    OtherKey,
    /// It was changed, or is not where it was sealed.
    Damaged,
}

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let hash = digest(&SHA256, &[FINGERPRINT_OF, key].concat());
        let mut fingerprint = [0; FINGERPRINT_LEN];
        for (to, from) in fingerprint.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("keys of this algorithm have 32 bytes");
        Self { key: LessSafeKey::new(key), fingerprint }
    }

    /// Seals a value for its place. A nonce of its own each time: the same value never looks the same twice.
    pub(super) fn seal(&self, place: Place, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut text = value.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place.as_aad(), &mut text)
            .map_err(|_| failed("a value is too long to be encrypted"))?;
        Ok([&self.fingerprint[..], &nonce, &text].concat())
    }

    /// Opens what was sealed for this place.
    pub(super) fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, Closed> {
        let (fingerprint, rest) = sealed.split_first_chunk::<FINGERPRINT_LEN>().ok_or(Closed::Damaged)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Closed::Damaged)?;
        if *fingerprint != self.fingerprint {
            return Err(Closed::OtherKey);
        }
        let (nonce, mut text) = (Nonce::assume_unique_for_key(*nonce), text.to_vec());
        let value = self.key.open_in_place(nonce, place.as_aad(), &mut text).map_err(|_| Closed::Damaged)?;
        let len = value.len();
        text.truncate(len);
        Ok(text)
    }
}

/// Bytes that nobody can foretell.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| failed("the system gives no random bytes"))?;
    Ok(bytes)
}

fn failed(reason: &str) -> StoreError {
    StoreError::Failed { reason: reason.to_owned() }
}

impl Place {
    /// A sealed value of a snapshot, as if the snapshot were an event with an id that is made of whose state it is as of which
    /// version.
    pub(super) fn of_snapshot(stream: &StreamName, version: Version, number: usize) -> Self {
        let text = [SNAPSHOT_OF, stream.as_str().as_bytes(), &version.get().to_be_bytes()].concat();
        Self { event: id_of(&text), number }
    }

    /// The first sealed value of a document, in the same way. The collection's name says where it ends.
    pub(super) fn of_document(collection: &str, key: &str) -> Self {
        let text = [DOCUMENT_OF, collection.as_bytes(), b"\0", key.as_bytes()].concat();
        Self { event: id_of(&text), number: 0 }
    }

    /// The first sealed value of an entry of the outbox.
    pub(super) fn of_entry(id: Uuid) -> Self {
        Self { event: id_of(&[ENTRY_OF, id.as_bytes()].concat()), number: 0 }
    }

    fn as_aad(self) -> Aad<[u8; 24]> {
        let mut bytes = [0; 24];
        let number = u64::try_from(self.number).unwrap_or(u64::MAX).to_be_bytes();
        for (to, from) in bytes.iter_mut().zip(self.event.0.as_bytes().iter().chain(&number)) {
            *to = *from;
        }
        Aad::from(bytes)
    }
}

/// As if it were an event: an id that is made of a text.
fn id_of(text: &[u8]) -> EventId {
    let (hash, mut id) = (digest(&SHA256, text), [0; 16]);
    for (to, from) in id.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    EventId(Uuid::from_bytes(id))
}

/// A key is never printed.
impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(event: u128, number: usize) -> Place {
        Place { event: EventId(Uuid::from_u128(event)), number }
    }

    #[test]
    fn opens_what_it_sealed_where_it_sealed_it() {
        let cipher = Cipher::new(&[7; 32]);
        for value in [&b""[..], b"Ada", &[0; 1000]] {
            let sealed = cipher.seal(place(1, 2), value).unwrap();
            assert_eq!(cipher.open(place(1, 2), &sealed).unwrap(), value);
            assert_ne!(cipher.seal(place(1, 2), value).unwrap(), sealed, "a nonce of its own");
            for elsewhere in [place(1, 3), place(2, 2)] {
                assert_eq!(cipher.open(elsewhere, &sealed), Err(Closed::Damaged));
            }
            assert_eq!(Cipher::new(&[8; 32]).open(place(1, 2), &sealed), Err(Closed::OtherKey));
            for at in FINGERPRINT_LEN..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(cipher.open(place(1, 2), &changed), Err(Closed::Damaged), "{at}");
            }
            for len in 0..FINGERPRINT_LEN + NONCE_LEN + 16 {
                assert_eq!(cipher.open(place(1, 2), &sealed[..len]), Err(Closed::Damaged), "{len}");
            }
        }
    }
}
