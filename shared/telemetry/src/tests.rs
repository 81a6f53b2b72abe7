//! What a log line looks like to people and to machines.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// What was written.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn enabled(level: &str, target: &str, at: tracing::Level) -> bool {
    parse_level(level).unwrap().would_enable(target, &at)
}

#[test]
fn levels_apply_by_target() {
    use tracing::Level;
    assert!(enabled("info", "anything", Level::INFO));
    assert!(!enabled("info", "anything", Level::DEBUG));
    assert!(enabled("info, umbel=debug", "umbel_supervision::group", Level::DEBUG));
    assert!(!enabled("info,umbel=debug", "actix", Level::DEBUG));
    assert!(!enabled("umbel=debug", "actix", Level::ERROR), "nothing but what was named");
    assert!(!enabled("off", "umbel", Level::ERROR));
    assert!(enabled("WARN", "umbel", Level::WARN));
}

#[test]
fn a_wrong_level_is_refused_and_named() {
    for (level, part) in [
        ("inof", "inof"),
        ("info,umbel=loud", "umbel=loud"),
        ("", ""),
        ("info,", ""),
        ("=info", "=info"),
        ("3", "3"),
    ] {
        let expected = TelemetryError::Level { level: level.to_owned(), part: part.to_owned() };
        assert_eq!(parse_level(level).unwrap_err(), expected, "{level:?}");
    }
    let error =
        init(&TelemetrySettings { level: "inof".to_owned(), ..TelemetrySettings::default() }).unwrap_err();
    assert!(error.to_string().starts_with("`inof` is no level; these are off, error"), "{error}");
}

#[test]
fn the_format_follows_the_terminal_unless_it_is_set() {
    let cases = [
        (Format::Auto, true, true),
        (Format::Auto, false, false),
        (Format::Pretty, false, true),
        (Format::Json, true, false),
    ];
    for (format, terminal, expected) in cases {
        assert_eq!(is_pretty(format, terminal), expected, "{format:?}, terminal: {terminal}");
    }
}

#[test]
fn a_line_is_compact_for_people_and_json_for_machines() {
    let info = || parse_level("info").unwrap();
    let log = || {
        tracing::info!(position = 7, "stored");
        tracing::debug!("not shown");
    };
    let sink = Sink::default();
    tracing::subscriber::with_default(pretty(info(), false, sink.clone()), log);
    let text = sink.text();
    assert!(text.contains("INFO") && text.ends_with("stored position=7\n"), "{text}");

    let sink = Sink::default();
    tracing::subscriber::with_default(json(info(), sink.clone()), log);
    let text = sink.text();
    assert!(text.contains(r#""level":"INFO","message":"stored","position":7"#), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn setting_up_twice_is_harmless() {
    let settings = TelemetrySettings { level: "off".to_owned(), ..TelemetrySettings::default() };
    assert_eq!(init(&settings), Ok(()));
    assert_eq!(init(&settings), Ok(()));
}
