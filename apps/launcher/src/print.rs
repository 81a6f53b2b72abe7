//! Things on standard output: in aligned columns for people, a JSON object per line for machines.

use std::io::{self, BufWriter, Stdout, Write, stderr, stdout};

use serde::Serialize;
use umbel_core::{RecordedEvent, Timestamp};

/// Characters of an event's data in the form for people; the rest is in the JSON form.
const DATA_MAX: usize = 100;

/// A column of the form for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
}

/// Prints rows, page after page.
pub(crate) struct Printer<const N: usize, W = BufWriter<Stdout>> {
    out: W,
    json: bool,
    columns: [Column; N],
    /// Of the columns so far; they only grow, so that later pages stay aligned with earlier ones.
    widths: [usize; N],
    titled: bool,
    /// Whether anything was printed.
    spoke: bool,
}

/// A column of text.
pub(crate) const fn text(title: &'static str) -> Column {
    Column { title, right: false }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str) -> Column {
    Column { title, right: true }
}

/// The columns of events.
pub(crate) const EVENTS: [Column; 6] =
    [number("position"), text("recorded at"), text("stream"), number("version"), text("type"), text("data")];

impl<const N: usize> Printer<N> {
    /// To standard output.
    pub(crate) fn new(json: bool, columns: [Column; N]) -> Self {
        Self::to(BufWriter::new(stdout()), json, columns)
    }
}

impl<const N: usize, W: Write> Printer<N, W> {
    pub(crate) fn to(out: W, json: bool, columns: [Column; N]) -> Self {
        Self {
            out,
            json,
            columns,
            widths: columns.map(|column| column.title.len()),
            titled: false,
            spoke: false,
        }
    }

    /// One page. Whoever reads sees it at once.
    pub(crate) fn rows<T: Serialize>(
        &mut self,
        page: &[T],
        cells: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        self.spoke |= !page.is_empty();
        if self.json {
            page.iter().try_for_each(|one| self.object(one))?;
        } else if !page.is_empty() {
            self.table(&page.iter().map(cells).collect::<Vec<_>>())?;
        }
        self.out.flush()
    }

    /// One thing: as a JSON object on a line of its own, or in words.
    pub(crate) fn one(&mut self, value: &impl Serialize, words: &str) -> io::Result<()> {
        if self.json { self.object(value) } else { self.out.write_all(words.as_bytes()) }?;
        self.out.flush()
    }

    /// Something that only people want to know.
    pub(crate) fn words(&mut self, words: &str) -> io::Result<()> {
        if !self.json {
            self.spoke = true;
            self.out.write_all(words.as_bytes())?;
        }
        self.out.flush()
    }

    /// Says on standard error why nothing was printed, if nothing was: silence could be a failure. Standard output stays what
    /// machines read.
    pub(crate) fn nothing(&self, why: &str) {
        if !self.spoke {
            remark(&format!("{why}\n"));
        }
    }

    fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.out.write_all(&json_line(value)?)
    }

    fn table(&mut self, rows: &[[String; N]]) -> io::Result<()> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if !std::mem::replace(&mut self.titled, true) {
            self.row(&self.columns.map(|column| column.title.to_owned()))?;
        }
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn row(&mut self, cells: &[String; N]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, column), width) in cells.iter().zip(self.columns).zip(self.widths) {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if column.right { (&*padding, "") } else { ("", &*padding) };
            line += &format!("{before}{cell}{after}  ");
        }
        writeln!(self.out, "{}", line.trim_end())
    }
}

impl<W: Write> Printer<6, W> {
    /// One page of events.
    pub(crate) fn events(&mut self, events: &[RecordedEvent]) -> io::Result<()> {
        if self.json {
            self.spoke |= !events.is_empty();
            events.iter().try_for_each(|event| self.out.write_all(&event_line(event)?))?;
            return self.out.flush();
        }
        self.rows(events, |event| {
            [
                event.position.to_string(),
                event.recorded_at.to_millis_string(),
                event.stream.to_string(),
                event.version_read().to_string(),
                event.event_type.to_string(),
                shortened(&event.data.to_string()),
            ]
        })
    }
}

/// A value as a line of JSON, whole or not at all.
pub(crate) fn json_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value).map_err(corrupt)?;
    line.push(b'\n');
    Ok(line)
}

/// An event as a line of JSON, whole or not at all.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when what the store holds of it has no JSON form; says of which.
pub(crate) fn event_line(event: &RecordedEvent) -> io::Result<Vec<u8>> {
    json_line(event).map_err(|error| {
        let RecordedEvent { id, position, .. } = event;
        corrupt(format!(
            "event {id} at position {position} is damaged: {error}; `umbel store verify` tells what else is"
        ))
    })
}

fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// One thing: as a JSON object on a line, or in words.
pub(crate) fn print_one(json: bool, value: &impl Serialize, words: &str) -> io::Result<()> {
    Printer::new(json, []).one(value, words)
}

/// Words for people on standard error, which is nothing that machines read. When nobody listens there, nobody misses them.
pub(crate) fn remark(text: &str) {
    drop(stderr().write_all(text.as_bytes()));
}

/// Friendly words to standard output. When nobody listens there any more, the process goes on.
pub(crate) fn say(text: &str) {
    let mut out = stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// A moment that may not be.
pub(crate) fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, Timestamp::to_millis_string)
}

/// A count with its noun.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// That there is nothing of a kind, of those that were searched for or at all.
pub(crate) fn none(noun: &str, is_searched: bool) -> String {
    format!("there is no {noun}{}", like_that(is_searched))
}

/// What stands behind something that is missing, where it was searched for.
pub(crate) const fn like_that(is_searched: bool) -> &'static str {
    if is_searched { " like that" } else { "" }
}

/// The text on one line, cut with an ellipsis when it is long.
pub(crate) fn shortened(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    match text.char_indices().nth(DATA_MAX) {
        None => text.chars().map(line).collect(),
        Some(_) => text.chars().take(DATA_MAX - 1).map(line).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{EventId, Json, Metadata, Position, StreamName, Version};

    use super::*;

    fn event(position: u64, stream: &str, data: &str) -> RecordedEvent {
        RecordedEvent {
            position: Position::new(position),
            stream: StreamName::new(stream).unwrap(),
            version: Version::new(1),
            id: EventId("0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2".parse().unwrap()),
            event_type: "a.happened/1".parse().unwrap(),
            recorded_at: Timestamp::from_micros(1_769_860_800_123_456),
            data: Json::parse(data).unwrap().into(),
            subject: None,
            linked_at: None,
            tags: umbel_core::Tags::none(),
            metadata: Metadata::default(),
        }
    }

    fn printed(json: bool, pages: &[&[RecordedEvent]]) -> String {
        let mut printer = Printer::to(Vec::new(), json, EVENTS);
        pages.iter().for_each(|page| printer.events(page).unwrap());
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn people_see_aligned_columns() {
        let pages = [
            &[event(9, "account-1", "{\"n\":\n1}")][..],
            &[],
            &[event(10, "a-very-long-name-of-a-stream", "2")],
        ];
        assert_eq!(
            printed(false, &pages),
            "\
position  recorded at               stream     version  type          data
       9  2026-01-31T12:00:00.123Z  account-1        1  a.happened/1  {\"n\": 1}
      10  2026-01-31T12:00:00.123Z  a-very-long-name-of-a-stream        1  a.happened/1  2
"
        );
        assert_eq!(printed(false, &[]), "", "an empty log has no table");
    }

    #[test]
    fn machines_see_one_object_per_line() {
        let text = printed(true, &[&[event(1, "a-1", r#"{"k":"v"}"#), event(2, "a-1", "2")]]);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        for key in ["position", "stream", "version", "id", "type", "recorded_at", "data", "metadata"] {
            assert!(lines[0].get(key).is_some(), "{key}");
        }
        assert_eq!(lines[0]["data"]["k"], "v");
    }

    /// Of a damaged event no part is printed, and it is the event that is named.
    #[test]
    fn a_damaged_event_is_named() {
        let damaged = RecordedEvent { data: Json::from_store(r#"{"n":"#).into(), ..event(7, "a-1", "1") };
        let mut printer = Printer::to(Vec::new(), true, EVENTS);
        let error = printer.events(&[event(6, "a-1", "1"), damaged]).unwrap_err();
        assert!(error.to_string().contains("0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 at position 7 is damaged"));
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(printer.out.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(printer.out.last(), Some(&b'\n'), "no torn line");
    }

    #[test]
    fn long_data_is_cut_between_characters() {
        let long = "ü".repeat(DATA_MAX + 1);
        assert_eq!(shortened(&long).chars().count(), DATA_MAX);
        assert!(shortened(&long).ends_with('…'));
        assert_eq!(shortened(&long[..2 * DATA_MAX]), long[..2 * DATA_MAX]);
    }
}
