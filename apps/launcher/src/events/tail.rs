//! `umbel events tail`: the log of all streams, printed.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{AllPage, ReadAll, Selector, StoreError},
};
use umbel_host::{ExitStatus, Failed, OrExit, StopSignals};
use umbel_settings::LoadOptions;

use super::filters::FilterArgs;
use crate::{
    args::{JsonArg, within},
    print::{EVENTS, Printer},
    tool::{Done, PAGE, Tool, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel events tail                          the whole log, for people
  umbel events tail --from 1000 --follow     from there on, until Ctrl-C
  umbel events tail --last 20 --follow       the end of it, and what comes
  umbel events tail --backward --limit 20    the newest first
  umbel events tail --type accounts.registered --since 2026-01-31
  umbel events tail --since 15m --follow     the last minutes, and what comes
  umbel events tail --json | jq .type        one JSON object per line";

/// Where a tail begins when nothing is said.
const BEGINNING: u64 = 1;

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// The first position to print; going backward, the greatest
    #[arg(long, value_name = "POSITION", value_parser = within::<u64>(1..))]
    from: Option<u64>,
    /// Only the last N of those that match, in order
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "backward", "limit"])]
    #[arg(value_parser = within::<u32>(1..=100_000))]
    last: Option<u32>,
    /// The newest first
    #[arg(long, conflicts_with = "follow")]
    backward: bool,
    /// N events at most
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    /// Go on with what is appended, until a signal
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    json: JsonArg,
}

/// Prints the log from a position to its head, and beyond it when asked to follow.
pub(super) fn tail(options: &LoadOptions, args: &TailArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut signals = StopSignals::listen().or_exit(ExitStatus::Failure)?;
        let tail = Tail { tool, selector: args.filters.selector() };
        tokio::select! {
            outcome = tail.print(args) => outcome,
            // Told to stop while following is how following ends.
            () = signals.recv() => Ok(()),
        }
    })
}

struct Tail<'a> {
    tool: &'a Tool,
    selector: Selector,
}

impl Tail<'_> {
    async fn print(&self, args: &TailArgs) -> Done {
        let mut printer = Printer::new(args.json.json, EVENTS);
        let mut left = args.limit.unwrap_or(u64::MAX);
        if args.backward {
            return self.backward(args.from.map(Position::new), &mut left, &mut printer).await;
        }
        let mut from = Position::new(args.from.unwrap_or(BEGINNING));
        if let Some(last) = args.last {
            let (events, head) = self.last(last).await?;
            printer.events(&events)?;
            from = head.next();
        }
        let every = Duration::from_millis(self.tool.settings.poll_interval_ms.max(1));
        self.forward(from, args.follow.then_some(every), &mut left, &mut printer).await
    }

    async fn forward(
        &self,
        mut from: Position,
        follow: Option<Duration>,
        left: &mut u64,
        printer: &mut Printer<6>,
    ) -> Done {
        let (mut away, mut waits) = (false, false);
        while *left > 0 {
            let page = match (self.page(Some(from), Direction::Forward, *left).await, follow) {
                // Whoever follows waits for a store that is gone for a moment, and says so once.
                (Err(error), Some(every)) if error.is_transient() => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(%error, "waiting for the store");
                    }
                    sleep(every).await;
                    continue;
                }
                (page, _) => page?,
            };
            away = false;
            printer.events(&page.events)?;
            *left -= u64::try_from(page.events.len()).unwrap_or(*left).min(*left);
            from = from.max(page.scanned_to.next());
            match follow {
                _ if from <= page.head => {}
                Some(every) => {
                    if !std::mem::replace(&mut waits, true) {
                        printer.nothing(&format!("{}; waiting for what comes", nothing(page.head)));
                    }
                    sleep(every).await;
                }
                None => {
                    printer.nothing(&nothing(page.head));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn backward(&self, mut from: Option<Position>, left: &mut u64, printer: &mut Printer<6>) -> Done {
        while *left > 0 {
            let page = self.page(from, Direction::Backward, *left).await?;
            printer.events(&page.events)?;
            *left -= u64::try_from(page.events.len()).unwrap_or(*left).min(*left);
            let Some(before) = before(page.scanned_to) else {
                printer.nothing(&nothing(page.head));
                break;
            };
            from = Some(before);
        }
        Ok(())
    }

    /// The last ones that match, in order, and the head as of then.
    async fn last(&self, count: u32) -> Done<(Vec<RecordedEvent>, Position)> {
        let (mut events, mut from, mut head) = (Vec::new(), None, None);
        loop {
            let missing = u64::from(count).saturating_sub(u64::try_from(events.len()).unwrap_or(u64::MAX));
            let page = self.page(from, Direction::Backward, missing).await?;
            let head = *head.get_or_insert(page.head);
            events.extend(page.events);
            from = before(page.scanned_to);
            if from.is_none() || events.len() >= usize::try_from(count).unwrap_or(usize::MAX) {
                events.reverse();
                return Ok((events, head));
            }
        }
    }

    async fn page(
        &self,
        from: Option<Position>,
        direction: Direction,
        wanted: u64,
    ) -> Result<AllPage, StoreError> {
        let limit = u32::try_from(wanted).unwrap_or(PAGE).min(PAGE);
        let selector = self.selector.clone();
        self.tool.store().read_all(ReadAll { from, direction, limit, selector }).await
    }
}

/// Why nothing is printed.
fn nothing(head: Position) -> String {
    match head.get() {
        0 => "the log holds no event yet".to_owned(),
        head => format!("no event of the log, which ends at position {head}, matches"),
    }
}

/// Where the next page going backward begins, if anything is left.
fn before(scanned_to: Position) -> Option<Position> {
    scanned_to.get().checked_sub(1).filter(|before| *before > 0).map(Position::new)
}
