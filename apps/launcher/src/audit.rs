//! `umbel audit`: the acts of upkeep, as the log records them.

use clap::Args;
use umbel_core::{
    RecordedEvent, StreamName, Version,
    document::Direction,
    store::{Act, ActRecord, LetterFilter, ReadError, ReadStream, Removal},
    subscription::Start,
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, within},
    print::{Column, Printer, counted, number, shortened, text},
    tool::{PAGE, with_store},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  umbel audit
  umbel audit --last 10 --json | jq .data";

const COLUMNS: [Column; 5] = [number("position"), text("at"), text("by"), text("what"), text("why")];

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only the last N
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    last: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

pub(crate) fn audit(options: &LoadOptions, args: &AuditArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let version = match tool.store().stream_info(StreamName::audit()).await {
            Ok(info) => info.version,
            // Before the first act there is no such stream.
            Err(ReadError::StreamNotFound(_)) => {
                printer.nothing("nothing was removed or moved yet");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut from =
            Version::new(args.last.map_or(1, |last| (version.get() + 1).saturating_sub(last).max(1)));
        while from <= version {
            let (stream, direction) = (StreamName::audit(), Direction::Forward);
            let request = ReadStream { stream, from: Some(from), direction, limit: PAGE };
            let page = tool.store().read_stream(request).await?;
            let Some(last) = page.events.last() else { break };
            from = last.version.next();
            printer.rows(&page.events, cells)?;
        }
        Ok(())
    })
}

fn cells(event: &RecordedEvent) -> [String; 5] {
    let noted = |key: &str| {
        let value = event.metadata.custom.get(key);
        value
            .map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    // A record of a newer program is shown as it is.
    let what =
        event.data.decode().map_or_else(|_| shortened(&event.data.to_string()), |record| described(&record));
    [event.position.to_string(), event.recorded_at.to_millis_string(), noted("by"), what, noted("reason")]
}

fn described(ActRecord { act, events, links }: &ActRecord) -> String {
    let gone = |removal: &Removal| match removal {
        Removal::Soft => String::new(),
        Removal::Hard => format!(" for good: {}, {}", counted(*events, "event"), counted(*links, "link")),
    };
    match act {
        Act::DeleteStream { stream, removal, .. } => format!("deleted stream {stream}{}", gone(removal)),
        Act::TruncateStream { stream, before, removal } => {
            format!("truncated stream {stream} before version {before}{}", gone(removal))
        }
        Act::Archive { through } => {
            format!("archived through position {through}: {}", counted(*events, "event"))
        }
        Act::ForgetSubject { subject } => format!("forgot {subject}"),
        Act::PauseSubscription { subscription } => format!("paused subscription {subscription}"),
        Act::ResumeSubscription { subscription } => format!("resumed subscription {subscription}"),
        Act::ResetSubscription { subscription, start } => {
            let start = match start {
                Start::Origin => "the first event".to_owned(),
                Start::Current => "what came next".to_owned(),
                Start::After(place) => format!("what is behind {place}"),
            };
            format!("reset subscription {subscription} to {start}: {} discarded", letters(*events))
        }
        Act::RenameSubscription { subscription, to } => {
            format!("renamed subscription {subscription} to {to}, with {}", letters(*events))
        }
        Act::DeleteSubscription { subscription } => {
            format!("deleted subscription {subscription}: {} discarded", letters(*events))
        }
        Act::DropProjection { projection } => format!("dropped projection {projection}"),
        Act::RebuildProjection { projection } => format!("began to build projection {projection} anew"),
        Act::RetryLetters { filter, .. } => {
            format!("asked for {} to be tried again{}", letters(*events), of(filter))
        }
        Act::CancelRetries { filter, .. } => {
            format!("took back that {} were asked for{}", letters(*events), of(filter))
        }
        Act::DiscardLetters { filter, .. } => format!("discarded {}{}", letters(*events), of(filter)),
        Act::EditLetter { subscription, place, .. } => {
            format!("edited the dead letter of {subscription} at {place}")
        }
        Act::SweepNotices { notices, since } => {
            format!(
                "removed {} that had expired, since {}",
                counted(*notices, "notice"),
                since.to_millis_string()
            )
        }
    }
}

fn letters(count: u64) -> String {
    counted(count, "dead letter")
}

/// Of which subscription they were, if it was one.
fn of(filter: &LetterFilter) -> String {
    filter.subscription.as_ref().map_or_else(String::new, |name| format!(" of {name}"))
}

#[cfg(test)]
mod tests {
    use umbel_core::{ExpectedVersion, subscription::SubscriptionName};

    use super::*;

    #[test]
    fn acts_are_told_in_words() {
        let stream = StreamName::new("a-1").unwrap();
        let (expected, removal) = (ExpectedVersion::Any, Removal::Hard);
        let act = Act::DeleteStream { stream: stream.clone(), expected, removal };
        let record = ActRecord { act, events: 2, links: 1 };
        assert_eq!(described(&record), "deleted stream a-1 for good: 2 events, 1 link");
        let act = Act::TruncateStream { stream, before: Version::new(3), removal: Removal::Soft };
        let record = ActRecord { act, events: 0, links: 0 };
        assert_eq!(described(&record), "truncated stream a-1 before version 3");
        let subscription = SubscriptionName::new("mail.welcome").unwrap();
        let filter = LetterFilter { subscription: Some(subscription.clone()), ..LetterFilter::default() };
        let record = ActRecord { act: Act::RetryLetters { filter, limit: 9 }, events: 1, links: 0 };
        assert_eq!(described(&record), "asked for 1 dead letter to be tried again of mail.welcome");
        let act = Act::ResetSubscription { subscription, start: Start::Origin };
        let record = ActRecord { act, events: 0, links: 0 };
        assert_eq!(
            described(&record),
            "reset subscription mail.welcome to the first event: 0 dead letters discarded"
        );
    }
}
