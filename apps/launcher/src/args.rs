//! Options that several commands have in common, and how their values are read.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    ops::{Bound, RangeBounds},
    str::FromStr,
};

use anyhow::anyhow;
use clap::Args;
use umbel_bus::edge;
use umbel_core::{ExpectedVersion, StreamName, Timestamp, Version, subscription::SubscriptionName};
use umbel_host::{ExitStatus, Failed};

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JsonArg {
    /// One JSON object per line, for machines
    #[arg(long)]
    pub(crate) json: bool,
}

/// For what cannot be undone.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SureArg {
    /// Do it without asking; needed where nobody is there to answer
    #[arg(long)]
    yes: bool,
}

/// For what is recorded in the audit.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReasonArg {
    /// Why: recorded in the audit, with the name of the user who runs this
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl ReasonArg {
    pub(crate) fn get(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl SureArg {
    /// Lets only pass what was confirmed: by `--yes`, or by an answer at the terminal.
    pub(crate) fn confirm(self, what: &str) -> Result<(), Failed> {
        let (mut terminal, answers) = (io::stderr(), io::stdin());
        let refused = |status, message: String| Err(Failed { status, error: anyhow!(message) });
        if self.yes {
            return Ok(());
        }
        if !(terminal.is_terminal() && answers.is_terminal()) {
            return refused(ExitStatus::Usage, format!("{what} cannot be undone; confirm it with --yes"));
        }
        let mut answer = String::new();
        let asked = write!(terminal, "{what} cannot be undone. Type yes to do it: ")
            .and_then(|()| terminal.flush())
            .and_then(|()| answers.read_line(&mut answer));
        if asked.is_ok() && answer.trim() == "yes" {
            return Ok(());
        }
        refused(ExitStatus::Failure, "nothing was done".to_owned())
    }
}

/// A number within bounds; what these are is said of everything else. They begin and end with a number, if at all.
pub(crate) fn within<T: FromStr + PartialOrd + Display>(
    allowed: impl RangeBounds<T> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        number.ok_or_else(|| match (allowed.start_bound(), allowed.end_bound()) {
            (Bound::Included(first), Bound::Included(last)) => {
                format!("it must be a number from {first} to {last}")
            }
            (Bound::Included(first), _) => format!("it must be a number from {first} on"),
            _ => "it must be a whole number".to_owned(),
        })
    }
}

/// A stream that can be read: also that of the audit.
pub(crate) fn readable_stream(name: &str) -> Result<StreamName, String> {
    if name == StreamName::audit().as_str() { Ok(StreamName::audit()) } else { stream(name) }
}

/// A stream of an app.
pub(crate) fn stream(name: &str) -> Result<StreamName, String> {
    StreamName::new(name).map_err(|error| error.to_string())
}

/// A durable subscription.
pub(crate) fn subscription(name: &str) -> Result<SubscriptionName, String> {
    SubscriptionName::new(name).map_err(|error| error.to_string())
}

/// An event's name.
pub(crate) fn event_name(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        None => Ok(text.to_owned()),
        Some((name, _)) => Err(format!("leave the schema version out: write {name}")),
    }
}

/// A moment: whole, a day that begins, or so long ago.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    moment(text, edge::now())
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(micros) = micros_ago(text) {
        return Ok(Timestamp::from_micros(now.as_micros().saturating_sub(micros)));
    }
    text.parse::<Timestamp>().or_else(|error| {
        let day = format!("{text}T00:00:00Z").parse();
        day.map_err(|_| format!("{error}, as 2026-01-31, or as the time that has passed since: 5m, 2h or 7d"))
    })
}

/// How long ago, when that is what the text says: a whole number of seconds, minutes, hours, days or weeks.
fn micros_ago(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<i64>().ok())??;
    number.checked_mul(seconds * 1_000_000)
}

/// What an optional version says of a stream.
pub(crate) fn expected(version: Option<u64>) -> ExpectedVersion {
    version.map_or(ExpectedVersion::Any, |version| ExpectedVersion::Exact(Version::new(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_moment_at_which_it_begins() {
        assert_eq!(time("2026-01-31").unwrap(), time("2026-01-31T01:00:00+01:00").unwrap());
        for wrong in
            ["yesterday", "2026-13-01", "", "m", "-5m", "+5m", "5 m", "1.5h", "5min", "5µ", "99999999999999w"]
        {
            let told = time(wrong).unwrap_err();
            assert!(told.contains("2026-01-31") && told.contains("7d"), "{wrong}: {told}");
        }
    }

    #[test]
    fn a_moment_may_be_told_by_how_long_ago_it_was() {
        let noon = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("0s", "2026-01-31T12:00:00Z"),
            ("90s", "2026-01-31T11:58:30Z"),
            ("5m", "2026-01-31T11:55:00Z"),
            ("36h", "2026-01-30T00:00:00Z"),
            ("7d", "2026-01-24T12:00:00Z"),
            ("2w", "2026-01-17T12:00:00Z"),
        ] {
            assert_eq!(moment(text, noon), Ok(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_numbers_are_allowed_is_said() {
        assert_eq!(within::<u32>(1..=9)("9"), Ok(9));
        for wrong in ["x", "0", "10", "-1", "1.5", "", "99999999999"] {
            assert_eq!(
                within::<u32>(1..=9)(wrong).unwrap_err(),
                "it must be a number from 1 to 9",
                "{wrong}"
            );
        }
        assert_eq!(within::<u64>(1..)("0").unwrap_err(), "it must be a number from 1 on");
        assert_eq!(within::<u64>(..)("x").unwrap_err(), "it must be a whole number");
        assert_eq!(within::<u64>(..)("0"), Ok(0));
    }

    #[test]
    fn the_audit_is_read_but_not_written() {
        assert!(readable_stream("$audit").is_ok() && stream("$audit").is_err());
        assert!(readable_stream("$all").is_err());
        assert_eq!(event_name("a.b/2").unwrap_err(), "leave the schema version out: write a.b");
    }

    /// Tests have no terminal, as scripts have none.
    #[test]
    fn without_a_terminal_it_must_be_said() {
        assert!(SureArg { yes: true }.confirm("it").is_ok());
        let refused = SureArg { yes: false }.confirm("removing x").unwrap_err();
        if !io::stdin().is_terminal() {
            assert_eq!(refused.status, ExitStatus::Usage);
            assert!(refused.to_string().contains("removing x") && refused.to_string().contains("--yes"));
        }
    }
}
