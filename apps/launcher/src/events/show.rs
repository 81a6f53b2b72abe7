//! `umbel events show`: one event, whole.

use clap::Args;
use umbel_core::{
    EventId, Payload, Position, RecordedEvent,
    document::Direction,
    store::{ReadAll, Selector},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, within},
    print::print_one,
    tool::{Done, Tool, failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel events show 1000
  umbel events show 0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 --json";

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The event's id, or its position in the log
    #[arg(value_name = "ID|POSITION", value_parser = place)]
    event: Place,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Id(EventId),
    Position(Position),
}

fn place(text: &str) -> Result<Place, String> {
    let position = || within::<u64>(1..)(text).map(|number| Place::Position(Position::new(number)));
    let id = || text.parse().map(|id| Place::Id(EventId(id)));
    position()
        .or_else(|_| id())
        .map_err(|_| "it must be a position, a number from 1 on, or a UUID".to_owned())
}

pub(super) fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let event = find(tool, args.event).await?;
        Ok(print_one(args.json.json, &event, &described(&event))?)
    })
}

async fn find(tool: &Tool, place: Place) -> Done<RecordedEvent> {
    match place {
        Place::Id(id) => {
            let found = tool.store().find_event(id).await?;
            found.ok_or_else(|| failed(format!("there is no event {id} in the log")))
        }
        Place::Position(position) => {
            let selector = Selector::all();
            let request = ReadAll { from: Some(position), direction: Direction::Forward, limit: 1, selector };
            let page = tool.store().read_all(request).await?;
            let found = page.events.into_iter().next().filter(|event| event.position == position);
            found.ok_or_else(|| {
                failed(format!(
                    "there is no event at position {position}; the log ends at {}, and what was removed for good is \
                     missing",
                    page.head
                ))
            })
        }
    }
}

fn described(event: &RecordedEvent) -> String {
    let RecordedEvent { position, stream, version, id, event_type, recorded_at, .. } = event;
    let mut text = format!(
        "position  {position}\nstream    {stream}\nversion   {version}\nid        {id}\ntype      {event_type}\n\
         recorded  {recorded_at}\n"
    );
    if let Some(subject) = &event.subject {
        text += &format!("subject   {subject}\n");
    }
    if !event.tags.is_empty() {
        text += &format!("tags      {}\n", event.tags);
    }
    let pretty = |json: &str| {
        let value: Option<serde_json::Value> = serde_json::from_str(json).ok();
        value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| json.to_owned())
    };
    let metadata = serde_json::to_string(&event.metadata).unwrap_or_default();
    let data = match &event.data {
        Payload::Json(json) => pretty(json.as_str()),
        binary @ Payload::Binary(_) => binary.to_string(),
    };
    text + &format!("metadata  {}\ndata      {data}\n", pretty(&metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_by_id_or_position() {
        assert_eq!(place("7"), Ok(Place::Position(Position::new(7))));
        assert!(matches!(place("0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2"), Ok(Place::Id(_))));
        for wrong in ["first", "0", "-1", ""] {
            assert!(place(wrong).unwrap_err().contains("from 1 on"), "{wrong}");
        }
    }
}
