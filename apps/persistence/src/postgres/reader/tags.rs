//! Pages of the events that a query by tags is about.
//!
//! They are looked for among the events with the rarest tag of each item, so many of them at a time: a page costs that much where none of
//! an item's tags is rare.

use umbel_core::{
    Position, TagQuery,
    document::Direction,
    store::{AllPage, StoreError},
};

use super::{
    Param, Reader,
    all::{BEHIND, EVENT, Range},
    select::Selection,
    sorted,
};

/// Events with the rarest tag of an item that one page looks at, for each item.
const CANDIDATES_MAX: i64 = 5_000;

impl Reader {
    pub(super) async fn select_tags(
        &self,
        selection: &Selection<'_>,
        query: &TagQuery,
        from: Position,
        limit: u32,
    ) -> Result<AllPage, StoreError> {
        let direction = selection.direction;
        let (first, last, before) = match direction {
            Direction::Forward => ("min", "max", "<="),
            Direction::Backward => ("max", "min", ">="),
        };
        let text = self.statements.select_tags.replace("{sorted}", sorted(direction));
        let text = text.replace("{first}", first).replace("{last}", last).replace("{before}", before);
        let range = Range::beginning_at(from, u64::MAX, direction);
        let (lowest, highest, count) = (range.first.to_i64(), range.last.to_i64(), i64::from(limit));
        let tags: Vec<_> = query.items().iter().map(|item| item.tags.lines()).collect();
        let names: Vec<_> = query.items().iter().map(umbel_core::TagItem::name_lines).collect();
        let mut params = selection.params(&lowest, &highest, &count).to_vec();
        params.extend([&tags as Param<'_>, &names, &CANDIDATES_MAX]);
        let text = text.replace("{conversation}", &selection.condition(params.len()));
        params.extend(selection.conversation_ids.iter().map(|id| -> Param<'_> { id }));
        let rows = self.query_events(&text, &params, EVENT, self.room()).await?;
        let edge =
            rows.first.as_ref().and_then(|row| row.get::<_, Option<i64>>(BEHIND)).map(Position::from_i64);
        let part = self.part(rows, direction).await?;
        let looked_at = match (direction, edge) {
            (Direction::Forward, Some(edge)) => Range { last: edge, ..range },
            (Direction::Backward, Some(edge)) => Range { first: edge, ..range },
            (_, None) => range,
        };
        let scanned_to =
            part.cut_at.unwrap_or_else(|| looked_at.scanned_to(direction, part.found, limit, part.head));
        Ok(AllPage { events: part.events, scanned_to, head: part.head })
    }
}
