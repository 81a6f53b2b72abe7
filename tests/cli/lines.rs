//! Exports made by hand: events as lines, so that a test need not run an umbrella to have some.

use serde_json::{Value, json};

/// An event as a line of an export.
pub(super) fn line(position: u64, stream: &str, version: u64) -> Value {
    let mut line = json!({
        "position": position,
        "stream": stream,
        "version": version,
        "id": format!("0190f5e2-7cc7-7d1a-b5a5-{position:012x}"),
        "type": if position.is_multiple_of(2) { "test.even/1" } else { "test.odd/2" },
        // Several events share a moment, as those of one group do.
        "recorded_at": format!("2026-01-31T12:{:02}:00.123456Z", position / 7 % 60),
        "data": {"n": position, "text": "ü\n"},
        "metadata": {
            "correlation_id": format!("0190f5e2-0000-7d1a-b5a5-{:012x}", position % 5),
            "by": "ada",
        },
    });
    // Some have tags.
    let tags = [("fifth", 5), ("third", 3)].into_iter().filter(|(_, every)| position.is_multiple_of(*every));
    let tags: Vec<_> = tags.map(|(name, _)| format!("{name}:1")).collect();
    if !tags.is_empty() {
        line["tags"] = tags.into();
    }
    line
}

/// An event with something personal of a subject.
pub(super) fn personal(position: u64, stream: &str, version: u64, subject: &str) -> Value {
    let mut line = line(position, stream, version);
    line["subject"] = subject.into();
    line["data"] = json!({"name": {"$personal": "Ada"}});
    line
}

/// The first so many events of some streams that take turns, some of them with several events in a row.
pub(super) fn log(count: u64) -> Vec<Value> {
    let mut versions = [0; 3];
    let next = |position: u64| {
        let stream = [0, 0, 1, 2, 2, 2, 1][usize::try_from(position % 7).unwrap()];
        versions[stream] += 1;
        line(position, ["even-0", "even-1", "odd"][stream], versions[stream])
    };
    (1..=count).map(next).collect()
}

/// As a file holds them.
pub(super) fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The same of an export that is through.
pub(super) fn ended(lines: &[Value]) -> String {
    text(&[lines, &[json!({"end": {}})]].concat())
}

/// The lines that an export holds between its first and its last one.
#[track_caller]
pub(super) fn within(export: &str) -> Vec<Value> {
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [begin, within @ .., end] = &lines[..] else { panic!("{export}") };
    assert!(begin["export"].is_object() && end["end"].is_object(), "{begin} and {end}");
    within.to_vec()
}
