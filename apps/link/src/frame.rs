//! How frames follow each other on a connection: four bytes with the length of what comes, most significant first, then as many bytes
//! of JSON. Pure: bytes in, frames out.

use serde::{Serialize, de::DeserializeOwned};

/// Bytes before each frame that say how long it is.
const HEAD: usize = 4;

/// Room for what comes next at least, so that small frames are read many at once.
const ROOM: usize = 8 * 1024;

/// Room that is kept when nothing is in it: a large frame has its own for as long as it is there, and not as long as its connection.
const ROOM_KEPT: usize = 16 * ROOM;

/// Why bytes are no frame. Where the next one begins is not known any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFrame {
    /// It is longer than is taken.
    #[error("a frame of {length} bytes, of which {most} are taken")]
    TooLong { length: usize, most: usize },
    /// It is not what was expected.
    #[error("not understood: {0}")]
    Malformed(String),
}

/// A frame that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsendable {
    /// It is longer than may be.
    #[error(
        "it takes {length} bytes, of which {most} may travel (the lesser link.frame_max_bytes of both processes)"
    )]
    TooLong { length: usize, most: usize },
    /// It has no JSON form.
    #[error("it has no JSON form: {0}")]
    NoJson(String),
}

/// What has come of a connection's frames and is not taken yet.
#[derive(Debug)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// What of it was taken already.
    taken: usize,
    most: usize,
}

/// The bytes of one frame.
pub(crate) fn encode(frame: &impl Serialize, most: usize) -> Result<Vec<u8>, Unsendable> {
    let mut bytes = vec![0; HEAD];
    serde_json::to_writer(&mut bytes, frame).map_err(|error| Unsendable::NoJson(error.to_string()))?;
    let length = bytes.len() - HEAD;
    match u32::try_from(length) {
        Ok(head) if length <= most => {
            bytes[..HEAD].copy_from_slice(&head.to_be_bytes());
            Ok(bytes)
        }
        _ => Err(Unsendable::TooLong { length, most }),
    }
}

impl Frames {
    /// None yet, of so many bytes each at most.
    pub(crate) const fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), taken: 0, most }
    }

    /// From now on frames may have so many bytes.
    pub(crate) const fn allow(&mut self, most: usize) {
        self.most = most;
    }

    /// Where to put what comes next.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        if self.bytes.is_empty() && self.bytes.capacity() > ROOM_KEPT {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(ROOM);
        &mut self.bytes
    }

    /// The next frame, if all of it has come.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BadFrame> {
        Ok(self.next_sized()?.map(|(frame, _)| frame))
    }

    /// The same, with how many bytes it has.
    pub(crate) fn next_sized<T: DeserializeOwned>(&mut self) -> Result<Option<(T, usize)>, BadFrame> {
        let Some((head, rest)) = self.bytes.get(self.taken..).and_then(<[u8]>::split_first_chunk::<HEAD>)
        else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(BadFrame::TooLong { length, most: self.most });
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let read = serde_json::from_slice(frame).map_err(|error| BadFrame::Malformed(error.to_string()));
        self.taken += HEAD + length;
        read.map(|frame| Some((frame, length)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// All frames of these bytes, which come in pieces of this size.
    fn read(bytes: &[u8], piece: usize, most: usize) -> Result<Vec<Value>, BadFrame> {
        let (mut frames, mut read) = (Frames::new(most), Vec::new());
        for piece in bytes.chunks(piece) {
            frames.space().extend_from_slice(piece);
            while let Some(frame) = frames.next()? {
                read.push(frame);
            }
        }
        Ok(read)
    }

    proptest! {
        /// LK-10: frames come out as they went in, however the bytes were cut.
        #[test]
        fn frames_survive_any_cut(texts in prop::collection::vec(".{0,40}", 0..8), piece in 1_usize..20) {
            let frames: Vec<_> = texts.into_iter().map(|text| json!({"text": text})).collect();
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| encode(frame, 1000).unwrap()).collect();
            prop_assert_eq!(read(&bytes, piece, 1000), Ok(frames));
        }

        /// LK-10: bytes that are no frames are refused or waited for, and never more than the bound is kept for one.
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            if let Ok(read) = read(&bytes, piece, 50) {
                prop_assert!(read.len() <= bytes.len() / HEAD);
            }
        }
    }

    #[test]
    fn what_is_too_long_is_neither_sent_nor_taken() {
        let fits = json!("x".repeat(98));
        let bytes = encode(&fits, 100).unwrap();
        assert_eq!(read(&bytes, 7, 100), Ok(vec![fits]));
        assert_eq!(read(&bytes, 7, 99), Err(BadFrame::TooLong { length: 100, most: 99 }));
        assert_eq!(encode(&json!("x".repeat(99)), 100), Err(Unsendable::TooLong { length: 101, most: 100 }));
        // The head alone is enough to know.
        assert!(read(&[0xff; 4], 4, 100).is_err());
    }

    #[test]
    fn a_large_frame_does_not_keep_its_room() {
        let (most, large) = (10 * ROOM_KEPT, json!("x".repeat(9 * ROOM_KEPT)));
        let mut frames = Frames::new(most);
        frames.space().extend(encode(&large, most).unwrap());
        assert_eq!(frames.next(), Ok(Some(large)));
        assert!((ROOM..=ROOM_KEPT).contains(&frames.space().capacity()));
    }

    #[test]
    fn a_part_of_a_frame_is_waited_for() {
        let bytes = encode(&json!({"a": 1}), 100).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut], 100, 100), Ok(Vec::new()));
        }
        assert!(matches!(read(&[0, 0, 0, 1, b'{'], 100, 100), Err(BadFrame::Malformed(_))));
    }
}
