//! Prometheus' text format, version 0.0.4: as much of it as is used here.

use std::fmt::Display;

/// What says that it is this format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a number does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It rises and falls.
    Gauge,
    /// It rises, from 0 when the process begins.
    Counter,
}

/// Families of numbers, each with its samples behind it.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    /// The name of the family that samples belong to.
    family: &'static str,
}

impl Text {
    /// Begins a family. Names are letters, digits and underscores; what it says is one line.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        self.family = name;
        self.line(format_args!("# HELP {name} {}", help.replace('\\', r"\\").replace('\n', r"\n")));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// A number of the family that was begun last. Values of labels may hold anything.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], number: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let family = self.family;
        self.line(format_args!("{family}{labels} {number}"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.text += &line.to_string();
        self.text.push('\n');
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_family_by_family() {
        let mut text = Text::default();
        text.family("a", Kind::Gauge, "What it\nsays.");
        text.sample(&[], 1);
        text.family("b", Kind::Counter, "Another one.");
        text.sample(&[("name", "x\"\\\ny"), ("other", "{}")], u64::MAX);
        text.sample(&[("name", "z")], 0.25);
        assert_eq!(
            text.finish(),
            "# HELP a What it\\nsays.\n# TYPE a gauge\na 1\n# HELP b Another one.\n# TYPE b counter\n\
             b{name=\"x\\\"\\\\\\ny\",other=\"{}\"} 18446744073709551615\nb{name=\"z\"} 0.25\n"
        );
    }
}
