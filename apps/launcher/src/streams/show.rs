//! `umbel streams show`: one stream, printed.

use clap::Args;
use umbel_core::{
    StreamName, Version,
    document::Direction,
    store::{ReadStream, StreamInfo},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, readable_stream, within},
    print::{EVENTS, Printer},
    tool::{Done, PAGE, Tool, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel streams show account-0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2
  umbel streams show account-0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 \\
      --backward --limit 5
  umbel streams show '$audit'

With --json, the first line is about the stream, each further one an event.";

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The stream's name; `umbel streams list` shows which there are
    #[arg(value_name = "NAME", value_parser = readable_stream)]
    stream: StreamName,
    /// The first version to print; going backward, the greatest
    #[arg(long, value_name = "VERSION", value_parser = within::<u64>(1..))]
    from: Option<u64>,
    /// N events at most
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    /// The newest first
    #[arg(long)]
    backward: bool,
    #[command(flatten)]
    json: JsonArg,
}

/// Prints what there is to know of a stream, then its events.
pub(super) fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let info = tool.store().stream_info(args.stream.clone()).await?;
        let mut printer = Printer::new(args.json.json, EVENTS);
        printer.one(&info, &described(&info))?;
        // A deleted stream has no events of its own any more; the log still has them.
        if info.deleted_at.is_some() { Ok(()) } else { print_events(tool, args, &mut printer).await }
    })
}

async fn print_events(tool: &Tool, args: &ShowArgs, printer: &mut Printer<6>) -> Done {
    let direction = if args.backward { Direction::Backward } else { Direction::Forward };
    let (mut from, mut left) = (args.from.map(Version::new), args.limit.unwrap_or(u64::MAX));
    while left > 0 {
        let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let request = ReadStream { stream: args.stream.clone(), from, direction, limit };
        let page = tool.store().read_stream(request).await?;
        let Some(last) = page.events.last() else {
            printer.nothing("it has no event there");
            break;
        };
        let next = if args.backward { last.version_read().get() - 1 } else { last.version_read().get() + 1 };
        printer.events(&page.events)?;
        left -= u64::try_from(page.events.len()).unwrap_or(left).min(left);
        if next == 0 || next > page.version.get() {
            break;
        }
        from = Some(Version::new(next));
    }
    Ok(())
}

fn described(info: &StreamInfo) -> String {
    let StreamInfo { stream, version, first_version, created_at, deleted_at } = info;
    let mut text = format!("stream   {stream}\nversion  {version}\ncreated  {created_at}\n");
    if first_version.get() > 1 {
        text += &format!("begins   at version {first_version}; what came before was truncated\n");
    }
    if let Some(deleted_at) = deleted_at {
        text += &format!("deleted  {deleted_at}; `umbel events tail` still has its events\n");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use umbel_core::Timestamp;

    use super::*;

    #[test]
    fn a_deleted_stream_says_where_its_events_are() {
        let mut info = StreamInfo {
            stream: StreamName::new("a-1").unwrap(),
            version: Version::new(3),
            first_version: Version::new(1),
            created_at: Timestamp::from_micros(0),
            deleted_at: None,
        };
        assert_eq!(described(&info), "stream   a-1\nversion  3\ncreated  1970-01-01T00:00:00.000000Z\n\n");
        info.deleted_at = Some(Timestamp::from_micros(1));
        assert!(described(&info).contains("events tail"));
    }
}
