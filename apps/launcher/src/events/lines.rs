//! Exports as files: lines read one by one within a bound, and the place where an export that was interrupted goes on.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use umbel_core::{Position, store::Claim};

use super::conditions::Conditions;

/// How the first line begins.
pub(super) const BEGIN: &[u8] = b"{\"export\"";
/// How a claim begins.
const CLAIM: &[u8] = b"{\"claim\"";
/// How the last line begins.
const END: &[u8] = b"{\"end\"";
/// How it began before, behind claims only.
const END_BEFORE: &[u8] = b"{\"claims\"";

/// Bytes of the first line at most: what a command can be given as conditions.
const FIRST_MAX_BYTES: u64 = 4 << 20;

/// How much of a file is looked at in one step when its end is looked for.
const STEP_BYTES: u64 = 64 << 10;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BeginLine {
    /// What it is an export of.
    pub(super) export: Conditions,
}

/// A claim as a line of an export. Claims stand behind all events.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ClaimLine {
    pub(super) claim: Claim,
}

/// The last line: an export that was interrupted has none.
#[derive(Debug, Serialize)]
pub(super) struct EndLine {
    pub(super) end: End,
}

/// How far an export came.
#[derive(Debug, Serialize)]
pub(super) struct End {
    /// The last of the log that was looked at.
    pub(super) last_position: Position,
    /// How many claims there are; `None` for a part of the log.
    pub(super) claims: Option<u64>,
}

/// The last line as it is read: also of older programs, where it had only the claims.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ends {
    end: EndsAt,
    claims: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EndsAt {
    claims: Option<u64>,
}

/// A line that is no event's.
#[derive(Debug)]
pub(super) enum Beside {
    Begin,
    Claim(Claim),
    /// With how many claims there are, if it says so.
    End(Option<u64>),
}

impl Beside {
    /// What it says; `None` of an event's. Of the first one it is enough that it is there.
    pub(super) fn read(line: &[u8]) -> Option<serde_json::Result<Self>> {
        if line.starts_with(BEGIN) {
            Some(serde_json::from_slice::<IgnoredAny>(line).map(|_| Self::Begin))
        } else if line.starts_with(END) || line.starts_with(END_BEFORE) {
            let ends = serde_json::from_slice::<Ends>(line);
            Some(ends.map(|Ends { end, claims }| Self::End(end.claims.or(claims))))
        } else {
            let claim = || serde_json::from_slice::<ClaimLine>(line).map(|line| Self::Claim(line.claim));
            line.starts_with(CLAIM).then(claim)
        }
    }
}

/// Reads lines, and counts them and their bytes.
pub(super) struct Lines<R> {
    input: R,
    line_max_bytes: usize,
    /// Number of the last line that was read, from 1.
    pub(super) number: u64,
    /// Bytes read so far.
    pub(super) bytes: u64,
    /// Whether the last line that was read had no end.
    pub(super) torn: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, line_max_bytes: usize) -> Self {
        Self { input, line_max_bytes, number: 0, bytes: 0, torn: false }
    }

    /// The next line without its end, or `None` after the last.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than it may be.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let bound = u64::try_from(self.line_max_bytes).unwrap_or(u64::MAX);
        let read = self.input.by_ref().take(bound.saturating_add(1)).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += u64::try_from(read).unwrap_or_default();
        self.torn = line.pop_if(|byte| *byte == b'\n').is_none();
        if line.len() > self.line_max_bytes {
            let what =
                format!("it is longer than {} bytes; raise store.max_payload_bytes", self.line_max_bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Some(line))
    }
}

/// The first line of a file, without its end; `None` when it has none, or is longer than any of ours.
pub(super) fn first_whole_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    BufReader::new(file.take(FIRST_MAX_BYTES)).read_until(b'\n', &mut line)?;
    Ok(line.pop_if(|byte| *byte == b'\n').map(|_| line))
}

/// The last line of a file that has an end, without it, and where that end is; `None` when there is no such line.
/// What follows it was torn off.
pub(super) fn last_whole_line(file: &mut File) -> io::Result<Option<(Vec<u8>, u64)>> {
    let end = file.metadata()?.len();
    last_whole_line_before(file, end)
}

/// The same of what stands before a place.
pub(super) fn last_whole_line_before(file: &mut File, end: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
    let Some(end) = newline_before(file, end)? else { return Ok(None) };
    let begin = newline_before(file, end)?.map_or(0, |newline| newline + 1);
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.by_ref().take(end - begin).read_to_end(&mut line)?;
    Ok(Some((line, end + 1)))
}

/// Where the claims and the end begin that stand before this place, which is a line's end; that place if there are none. They may be many,
/// so they are not gone through: behind the first of them there is nothing else.
pub(super) fn tail_begin(file: &mut File, end: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let line = line_from(file, middle)?;
        if line >= end || is_tail_at(file, line)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(line_from(file, low)?.min(end))
}

/// Where the first line begins that does not begin before a place.
fn line_from(file: &mut File, at: u64) -> io::Result<u64> {
    let Some(before) = at.checked_sub(1) else { return Ok(0) };
    file.seek(SeekFrom::Start(before))?;
    let skipped = BufReader::new(file).skip_until(b'\n')?;
    Ok(before + u64::try_from(skipped).unwrap_or_default())
}

fn is_tail_at(file: &mut File, at: u64) -> io::Result<bool> {
    let mut begin = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(u64::try_from(CLAIM.len()).unwrap_or_default()).read_to_end(&mut begin)?;
    Ok([CLAIM, END].iter().any(|tail| begin.starts_with(tail)))
}

/// Where the last line's end before a place is.
fn newline_before(file: &mut File, mut end: u64) -> io::Result<Option<u64>> {
    let mut step = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(STEP_BYTES);
        file.seek(SeekFrom::Start(begin))?;
        step.clear();
        file.by_ref().take(end - begin).read_to_end(&mut step)?;
        if let Some(at) = step.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(begin + u64::try_from(at).unwrap_or_default()));
        }
        end = begin;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn last(content: &[u8]) -> Option<(Vec<u8>, u64)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        last_whole_line(&mut file).unwrap()
    }

    #[test]
    fn a_torn_line_does_not_count() {
        assert_eq!(last(b""), None);
        assert_eq!(last(b"{torn"), None);
        assert_eq!(last(b"one\n"), Some((b"one".to_vec(), 4)));
        assert_eq!(last(b"one\ntwo\n{torn"), Some((b"two".to_vec(), 8)));
        let long = vec![b'x'; 200_000];
        let content = [b"one\n", &long[..], b"\n", &long[..]].concat();
        assert_eq!(last(&content), Some((long, 200_005)));
    }

    /// However many events and claims there are, and however long their lines.
    #[test]
    fn claims_are_found_behind_the_events() {
        let event = |length: usize| format!("{{\"position\":{}}}\n", "1".repeat(length));
        let claim = |length: usize| format!("{{\"claim\":{}}}\n", "1".repeat(length));
        for lengths in [&[][..], &[1], &[1, 2, 3], &[100_000, 1], &[1, 100_000], &[7; 50]] {
            let events: String = lengths.iter().map(|length| event(*length)).collect();
            for (lengths, end) in [
                (&[][..], ""),
                (&[], "{\"end\":{}}\n"),
                (&[1], ""),
                (&[9, 1, 1], "{\"end\":{}}\n"),
                (&[20_000, 3], ""),
                (&[5; 70], ""),
            ] {
                let claims = lengths.iter().map(|length| claim(*length)).collect::<String>() + end;
                let mut file = tempfile::tempfile().unwrap();
                write!(file, "{events}{claims}{{\"torn").unwrap();
                let (begin, end) = (events.len() as u64, (events.len() + claims.len()) as u64);
                assert_eq!(tail_begin(&mut file, end).unwrap(), begin, "{} and {claims}", events.len());
                let last = last_whole_line_before(&mut file, begin).unwrap();
                assert_eq!(last.map(|(_, end)| end), (begin > 0).then_some(begin));
            }
        }
    }

    #[test]
    fn lines_are_counted_and_bounded() {
        let mut lines = Lines::new(&b"one\n\nthree"[..], 5);
        let mut read = || lines.next().unwrap();
        assert_eq!(read(), Some(b"one".to_vec()));
        assert_eq!(read(), Some(b"".to_vec()));
        assert_eq!(read(), Some(b"three".to_vec()));
        assert_eq!(read(), None);
        assert_eq!((lines.number, lines.bytes, lines.torn), (3, 10, true));
        assert!(Lines::new(&b"toolong\n"[..], 5).next().unwrap_err().to_string().contains("5 bytes"));
    }
}
