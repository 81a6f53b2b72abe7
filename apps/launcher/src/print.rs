//! Events on standard output: aligned for people, a JSON object per line for machines.

use std::io::{self, Write};

use serde::Serialize;
use umbel_core::RecordedEvent;

/// Characters of an event's data in the form for people; the rest is in the JSON form.
const DATA_MAX: usize = 100;

/// Prints events, page after page.
pub(crate) struct Printer<W> {
    out: W,
    json: bool,
    /// Of the columns so far; they only grow, so that later pages stay aligned with earlier ones.
    widths: [usize; 5],
    titled: bool,
}

const TITLES: [&str; 6] = ["position", "recorded at", "stream", "version", "type", "data"];

impl<W: Write> Printer<W> {
    pub(crate) fn new(out: W, json: bool) -> Self {
        let mut widths = [0; 5];
        for (width, title) in widths.iter_mut().zip(TITLES) {
            *width = title.len();
        }
        Self { out, json, widths, titled: false }
    }

    /// One page. Whoever reads sees it at once.
    pub(crate) fn events(&mut self, events: &[RecordedEvent]) -> io::Result<()> {
        if self.json {
            events.iter().try_for_each(|event| self.object(event))?;
        } else if !events.is_empty() {
            self.table(events)?;
        }
        self.out.flush()
    }

    /// One JSON object on a line of its own.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Plain text.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    fn table(&mut self, events: &[RecordedEvent]) -> io::Result<()> {
        let rows: Vec<_> = events.iter().map(cells).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if !std::mem::replace(&mut self.titled, true) {
            self.row(&TITLES.map(str::to_owned))?;
        }
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn row(&mut self, [position, at, stream, version, event_type, data]: &[String; 6]) -> io::Result<()> {
        let [w0, w1, w2, w3, w4] = self.widths;
        writeln!(
            self.out,
            "{position:>w0$}  {at:w1$}  {stream:w2$}  {version:>w3$}  {event_type:w4$}  {data}"
        )
    }
}

/// Friendly words to standard output. When nobody listens there any more, the process goes on.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn cells(event: &RecordedEvent) -> [String; 6] {
    [
        event.position.to_string(),
        event.recorded_at.to_millis_string(),
        event.stream.to_string(),
        event.version.to_string(),
        event.event_type.to_string(),
        shortened(event.data.as_str()),
    ]
}

/// The text on one line, cut with an ellipsis when it is long.
fn shortened(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    match text.char_indices().nth(DATA_MAX) {
        None => text.chars().map(line).collect(),
        Some(_) => text.chars().take(DATA_MAX - 1).map(line).chain(['…']).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use umbel_core::{EventId, Json, Metadata, Position, StreamName, Timestamp, Version};

    use super::*;

    pub(crate) fn event(position: u64, stream: &str, data: &str) -> RecordedEvent {
        RecordedEvent {
            position: Position::new(position),
            stream: StreamName::new(stream).unwrap(),
            version: Version::new(1),
            id: EventId("0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2".parse().unwrap()),
            event_type: "a.happened/1".parse().unwrap(),
            recorded_at: Timestamp::from_micros(1_769_860_800_123_456),
            data: Json::parse(data).unwrap(),
            metadata: Metadata::default(),
        }
    }

    fn printed(json: bool, pages: &[&[RecordedEvent]]) -> String {
        let mut printer = Printer::new(Vec::new(), json);
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

    #[test]
    fn long_data_is_cut_between_characters() {
        let long = "ü".repeat(DATA_MAX + 1);
        assert_eq!(shortened(&long).chars().count(), DATA_MAX);
        assert!(shortened(&long).ends_with('…'));
        assert_eq!(shortened(&long[..2 * DATA_MAX]), long[..2 * DATA_MAX]);
    }
}
