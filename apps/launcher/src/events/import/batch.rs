//! Lines taken together, and the appends they make.

use std::io::BufRead;

use umbel_core::{
    ExpectedVersion, RecordedEvent, Version,
    store::{Append, AppendError, Claim, Claims, InvalidAppend},
};

use super::{
    super::lines::{Beside, Lines},
    exports::Exports,
};

/// Lines that are taken together: as many as share one commit by default.
const LINES_MAX: usize = 512;

/// Bytes of lines that are taken together, but for one line that is longer.
const BYTES_MAX: u64 = 4 << 20;

/// An event with the number of its line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) event: RecordedEvent,
}

/// A claim with the number of its line.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) number: u64,
    pub(super) claim: Claim,
}

/// Some lines.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<Line>,
    pub(super) claims: Vec<Held>,
    /// The exports that the lines up to here are of.
    pub(super) exports: Exports,
    /// Lines that are left out because they tell of upkeep in another log.
    pub(super) audit_records: u64,
    /// The line at which reading had to stop, and why.
    pub(super) wrong: Option<(u64, String)>,
    /// Whether there are no more lines.
    pub(super) end: bool,
}

/// Lines that are one append: consecutive versions of one stream with one time.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) lines: Vec<Line>,
}

impl Batch {
    /// The next lines, behind those of these exports.
    pub(super) fn read(input: &mut Lines<impl BufRead>, exports: Exports) -> Self {
        let (mut batch, begin) = (Self { exports, ..Self::default() }, input.bytes);
        while batch.lines.len() + batch.claims.len() < LINES_MAX && input.bytes - begin < BYTES_MAX {
            let line = match input.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Self { end: true, ..batch },
                // A line that is too long was counted; one that cannot be read was not.
                Err(error) => {
                    let number = input.number + u64::from(error.kind() != std::io::ErrorKind::InvalidData);
                    return Self { wrong: Some((number, error.to_string())), ..batch };
                }
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let beside = match Beside::read(&line).transpose() {
                Ok(beside) => beside,
                Err(_) if input.torn => return batch.torn(input.number),
                Err(error) => {
                    let what = format!("it is no claim of an export, nor its first or last line ({error})");
                    return Self { wrong: Some((input.number, what)), ..batch };
                }
            };
            batch.exports.read(input.number, beside.as_ref());
            match beside {
                Some(Beside::Claim(claim)) => batch.claims.push(Held { number: input.number, claim }),
                Some(Beside::Begin | Beside::End(_)) => {}
                None => match serde_json::from_slice::<RecordedEvent>(&line) {
                    Ok(event) if event.stream.is_system() => batch.audit_records += 1,
                    Ok(event) if event.version == Version::START => {
                        let what = "its version is 0, and those of events begin at 1".to_owned();
                        return Self { wrong: Some((input.number, what)), ..batch };
                    }
                    Ok(event) => batch.lines.push(Line { number: input.number, event }),
                    Err(_) if input.torn && line.starts_with(b"{") => return batch.torn(input.number),
                    Err(error) => {
                        let what = format!("it is no event of an export ({error})");
                        return Self { wrong: Some((input.number, what)), ..batch };
                    }
                },
            }
        }
        batch
    }

    /// Its last line was being written when the export ended.
    fn torn(mut self, number: u64) -> Self {
        self.exports.read(number, None);
        Self { end: true, ..self }
    }
}

/// The lines in order, as few appends as keep every event's time.
pub(super) fn runs(lines: Vec<Line>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for line in lines {
        match runs.last_mut().filter(|run| run.is_continued_by(&line.event)) {
            Some(run) => run.lines.push(line),
            None => runs.push(Run { lines: vec![line] }),
        }
    }
    runs
}

impl Held {
    /// Takes it, which changes nothing if its owner has it.
    pub(super) fn append(&self) -> Append {
        let Claim { name, owner } = self.claim.clone();
        Append { claims: Claims { owner, take: vec![name], ..Claims::default() }, ..Append::default() }
    }
}

impl Run {
    fn is_continued_by(&self, event: &RecordedEvent) -> bool {
        self.lines.last().is_some_and(|Line { event: last, .. }| {
            last.stream == event.stream
                && last.recorded_at == event.recorded_at
                && last.version.next() == event.version
        })
    }

    /// Appends nothing in any other place than the lines say.
    pub(super) fn append(&self) -> Append {
        let Some(Line { event: first, .. }) = self.lines.first() else { return Append::default() };
        let expected = ExpectedVersion::Exact(Version::new(first.version.get().saturating_sub(1)));
        let events = self.lines.iter().map(|line| line.event.clone().into_new()).collect();
        let append = Append::to_stream(first.stream.clone(), expected, events);
        Append { recorded_at: Some(first.recorded_at), ..append }
    }

    /// The line that a refusal is about.
    pub(super) fn line_of(&self, error: &AppendError) -> u64 {
        let id = match error {
            AppendError::DuplicateEvent { id }
            | AppendError::Invalid(
                InvalidAppend::EventTwice(id)
                | InvalidAppend::PayloadTooLarge { id, .. }
                | InvalidAppend::TooManyTags { id, .. },
            ) => Some(*id),
            _ => None,
        };
        let named = self.lines.iter().find(|line| Some(line.event.id) == id);
        named.or(self.lines.first()).map_or(0, |line| line.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: &str, version: u64, second: u64) -> String {
        format!(
            r#"{{"position":1,"stream":"{stream}","version":{version},"id":"0190f5e2-7cc7-7d1a-b5a5-{second:06}{version:06}","type":"a.b/1","recorded_at":"2026-01-31T12:00:0{second}Z","data":1,"metadata":{{}}}}"#
        )
    }

    fn read(text: &str) -> Batch {
        Batch::read(&mut Lines::new(text.as_bytes(), 1000), Exports::default())
    }

    /// AP-09, order and versions: a run never spans two times, two streams or a gap.
    #[test]
    fn runs_keep_order_times_and_versions() {
        let lines =
            [("a-1", 1, 0), ("a-1", 2, 0), ("b-1", 1, 0), ("a-1", 3, 0), ("a-1", 4, 1), ("a-1", 6, 1)];
        let text: String =
            lines.iter().map(|(stream, version, second)| line(stream, *version, *second) + "\n").collect();
        let runs = runs(read(&text).lines);
        let appends: Vec<_> = runs.iter().map(Run::append).collect();
        let found: Vec<_> =
            appends.iter().map(|append| (append.streams[0].expected, append.event_count())).collect();
        let exact = |version| ExpectedVersion::Exact(Version::new(version));
        assert_eq!(found, [(exact(0), 2), (exact(0), 1), (exact(2), 1), (exact(3), 1), (exact(5), 1)]);
        assert_eq!(appends[3].recorded_at, Some("2026-01-31T12:00:01Z".parse().unwrap()));
        let id = runs[0].lines[1].event.id;
        assert_eq!(runs[0].line_of(&AppendError::DuplicateEvent { id }), 2);
        assert_eq!(runs[2].line_of(&AppendError::StreamNotFound("x".to_owned().try_into().unwrap())), 4);
    }

    /// Claims are taken by their owners, whatever else their lines say some day.
    #[test]
    fn claims_are_told_from_events() {
        let claim = r#"{"claim": {"scope": "test.name", "value": "ada", "owner": "a-1"}, "more": 1}"#;
        let batch = read(&format!("{}\n{claim}\n{{\"claim\":7}}\n", line("a-1", 1, 0)));
        let [held] = &batch.claims[..] else { panic!("{batch:?}") };
        let Claims { owner, take, .. } = held.append().claims;
        assert_eq!((batch.lines.len(), held.number, owner.as_str()), (1, 2, "a-1"));
        assert_eq!(take[0].to_string(), r#"test.name "ada""#);
        assert_eq!(batch.wrong.unwrap().0, 3);
    }

    /// What stands before a line that cannot be read is taken.
    #[test]
    fn a_wrong_line_is_named() {
        let text = format!("{}\n\n{}\n{{\"position\":1,", line("a-1", 1, 0), line("$audit", 1, 0));
        let torn = read(&text);
        assert_eq!((torn.lines.len(), torn.end, torn.exports.cut_off().is_some()), (1, true, true));
        assert!(read("ELF").wrong.is_some(), "nothing of an export");
        let batch = read(&(text + "\n"));
        assert_eq!((batch.lines.len(), batch.audit_records, batch.end), (1, 1, false));
        assert_eq!(batch.wrong.unwrap().0, 4);
        let text = format!("{}\n{}\n", line("a-1", 1, 0), line("a-2", 0, 0));
        let batch = read(&text);
        assert_eq!((batch.lines.len(), batch.wrong.as_ref().map(|(line, _)| *line)), (1, Some(2)));
        let long = format!("{}\n{}\n", line("a-1", 1, 0), "x".repeat(2000));
        assert_eq!(read(&long).wrong.unwrap().0, 2);
    }
}
