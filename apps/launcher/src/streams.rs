//! `umbel streams show`: one stream, printed.

use std::{
    io::{self, BufWriter, Write, stdout},
    sync::Arc,
};

use umbel_core::{
    Version,
    document::Direction,
    store::{ReadStream, StreamInfo},
};
use umbel_host::Failed;
use umbel_persistence::Adapter;
use umbel_settings::LoadOptions;

use crate::{
    cli::ShowArgs,
    log::{PAGE, printed, unknown, with_store},
    print::Printer,
};

/// Prints what there is to know of a stream, then its events.
pub(crate) fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    with_store(options, async |store, _| {
        let info = store.stream_info(args.stream.clone()).await.map_err(unknown)?;
        let mut printer = Printer::new(BufWriter::new(stdout()), args.json);
        if let Err(error) = print_info(&mut printer, &info, args.json) {
            return printed(Err(error));
        }
        // A deleted stream has no events of its own any more; the log still has them.
        if info.deleted_at.is_some() { Ok(()) } else { print_events(&store, &mut printer, &info).await }
    })
}

async fn print_events<W: Write>(
    store: &Arc<dyn Adapter>,
    printer: &mut Printer<W>,
    info: &StreamInfo,
) -> Result<(), Failed> {
    let mut from = Version::START.next();
    while from <= info.version {
        let request = ReadStream {
            stream: info.stream.clone(),
            from: Some(from),
            direction: Direction::Forward,
            limit: PAGE,
        };
        let page = store.read_stream(request).await.map_err(unknown)?;
        let Some(last) = page.events.last() else { break };
        from = last.version.next();
        if let Err(error) = printer.events(&page.events) {
            return printed(Err(error));
        }
    }
    Ok(())
}

fn print_info<W: Write>(printer: &mut Printer<W>, info: &StreamInfo, json: bool) -> io::Result<()> {
    if json {
        printer.object(info)?;
    } else {
        printer.text(&described(info))?;
    }
    printer.events(&[])
}

fn described(info: &StreamInfo) -> String {
    let StreamInfo { stream, version, created_at, deleted_at } = info;
    let mut text = format!("stream   {stream}\nversion  {version}\ncreated  {created_at}\n");
    if let Some(deleted_at) = deleted_at {
        text += &format!("deleted  {deleted_at}; `umbel events tail` still has its events\n");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use umbel_core::{StreamName, Timestamp};

    use super::*;

    #[test]
    fn a_deleted_stream_says_where_its_events_are() {
        let mut info = StreamInfo {
            stream: StreamName::new("a-1").unwrap(),
            version: Version::new(3),
            created_at: Timestamp::from_micros(0),
            deleted_at: None,
        };
        assert_eq!(described(&info), "stream   a-1\nversion  3\ncreated  1970-01-01T00:00:00.000000Z\n\n");
        info.deleted_at = Some(Timestamp::from_micros(1));
        assert!(described(&info).contains("events tail"));
    }
}
