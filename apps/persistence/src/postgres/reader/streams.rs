//! What there is to know of streams, of one and of all.

use tokio_postgres::Row;
use umbel_core::{
    StreamName, Version,
    document::Direction,
    store::{ListStreams, ReadError, StoreError, StreamInfo, StreamList, StreamSort},
};

use super::{Reader, sorted};
use crate::postgres::types::PgTimestamp;

/// Streams whose versions one statement looks up: some hundred milliseconds.
const STEP: i64 = 65_536;

impl Reader {
    pub(in crate::postgres) async fn stream_info(&self, stream: StreamName) -> Result<StreamInfo, ReadError> {
        if stream == StreamName::all() {
            return Ok(self.log_info().await?);
        }
        let rows = self.query(&self.statements.stream_info, &[&stream.as_str()]).await?;
        let info = rows.first().map(stream_info);
        info.filter(|info| info.version > Version::START || info.deleted_at.is_some())
            .ok_or(ReadError::StreamNotFound(stream))
    }

    async fn log_info(&self) -> Result<StreamInfo, StoreError> {
        let row = self.log_row().await?;
        let PgTimestamp(created_at) = row.get("created_at");
        Ok(StreamInfo {
            stream: StreamName::all(),
            version: Version::from_i64(row.get("position")),
            first_version: Version::new(1),
            created_at,
            deleted_at: None,
        })
    }

    pub(in crate::postgres) async fn list_streams(
        &self,
        request: ListStreams,
    ) -> Result<StreamList, StoreError> {
        let text = match request.sort {
            StreamSort::Version => return self.list_by_version(request).await,
            StreamSort::Name | StreamSort::CreatedAt => list_text(&self.statements.list_streams, &request),
            StreamSort::DeletedAt => list_text(&self.statements.list_streams_by_deletion, &request),
        };
        let (name, at) = request.behind.as_ref().map(|place| (place.stream.as_str(), place.at)).unzip();
        let at = at.flatten().map(PgTimestamp);
        let search = request.search.unwrap_or_default();
        let offset = i64::try_from(request.offset).unwrap_or(i64::MAX / 2);
        let (limit, category) = (i64::from(request.limit), request.category);
        let rows = self.query(&text, &[&search, &offset, &limit, &name, &at, &category]).await?;
        let total = rows.first().and_then(|row| row.get::<_, Option<i64>>("total"));
        Ok(StreamList { streams: listed(&rows).collect(), total: total.map(i64::unsigned_abs) })
    }

    /// The first by version, which no index serves, since each append would pay for it: every stream is looked at once, in steps of
    /// which none takes long, and what may be among the first is kept.
    async fn list_by_version(&self, request: ListStreams) -> Result<StreamList, StoreError> {
        if request.behind.is_some() {
            return Ok(StreamList { streams: Vec::new(), total: None });
        }
        let text = version_text(&self.statements.list_streams_by_version, &request);
        let search = request.search.unwrap_or_default();
        let skipped = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let wanted = skipped.saturating_add(usize::try_from(request.limit).unwrap_or(usize::MAX));
        let most = i64::try_from(wanted).unwrap_or(i64::MAX);
        let category = request.category.as_deref();
        let is_listed = |log: &StreamInfo| {
            log.stream.as_str().contains(&search)
                && category.is_none_or(|category| category == log.stream.as_str())
        };
        let log = self.log_info().await?;
        let mut streams: Vec<_> = Some(log).filter(is_listed).into_iter().collect();
        let (mut total, mut after) = (u64::try_from(streams.len()).unwrap_or_default(), 0_i64);
        loop {
            let rows = self.query(&text, &[&search, &most, &after, &STEP, &category]).await?;
            streams.extend(listed(&rows));
            streams.sort_by(|a, b| {
                let order = (a.version, &a.stream).cmp(&(b.version, &b.stream));
                if request.direction == Direction::Forward { order } else { order.reverse() }
            });
            streams.truncate(wanted);
            let Some(row) = rows.first() else { break };
            total += row.get::<_, i64>("total").unsigned_abs();
            let Some(upto) = row.get("upto") else { break };
            after = upto;
        }
        Ok(StreamList { streams: streams.into_iter().skip(skipped).collect(), total: Some(total) })
    }
}

/// A statement for a page in this order, from its beginning or behind a place.
pub(in crate::postgres) fn list_text(statement: &str, request: &ListStreams) -> String {
    let is_forward = request.direction == Direction::Forward;
    let further = if is_forward { ">" } else { "<" };
    let order = match request.sort {
        StreamSort::CreatedAt => "listed.created_at {sorted}, listed.name {sorted}",
        _ => "listed.name {sorted}",
    };
    let place = request.behind.as_ref();
    let behind = match (place, request.sort) {
        (None, _) => "$4::text IS NULL".to_owned(),
        (Some(_), StreamSort::CreatedAt) => format!("(listed.created_at, listed.name) {further} ($5, $4)"),
        (Some(_), _) => format!("listed.name {further} $4"),
    };
    // Those that live are behind all that were deleted.
    let (deleted, living) = match place.map(|place| place.at) {
        None => ("$4::text IS NULL".to_owned(), "true".to_owned()),
        Some(Some(_)) => (format!("(deleted_at, name) {further} ($5, $4)"), is_forward.to_string()),
        Some(None) => ((!is_forward).to_string(), format!("name {further} $4")),
    };
    let text = statement.replace("{order}", order).replace("{behind}", &behind);
    text.replace("{deleted}", &deleted)
        .replace("{living}", &living)
        .replace("{within}", &within(request, "$6"))
        .replace("{sorted}", sorted(request.direction))
}

/// A statement for the first by version, this way.
pub(in crate::postgres) fn version_text(statement: &str, request: &ListStreams) -> String {
    statement.replace("{sorted}", sorted(request.direction)).replace("{within}", &within(request, "$5"))
}

/// The category of the parameter, as a part of the index by name, which also has what lies between it and its `-`. None has a `-` itself.
fn within(request: &ListStreams, category: &str) -> String {
    match &request.category {
        None => format!("{category}::text IS NULL"),
        Some(_) => format!(
            "strpos({category}, '-') = 0 AND name >= {category} AND name < {category} || '.' \
             AND (name = {category} OR starts_with(name, {category} || '-'))"
        ),
    }
}

/// The streams on a page.
fn listed(rows: &[Row]) -> impl Iterator<Item = StreamInfo> {
    rows.iter().filter(|row| row.get::<_, Option<&str>>("name").is_some()).map(stream_info)
}

fn stream_info(row: &Row) -> StreamInfo {
    let PgTimestamp(created_at) = row.get("created_at");
    StreamInfo {
        stream: StreamName::from_store(row.get::<_, &str>("name")),
        version: Version::from_i64(row.get("version")),
        first_version: Version::from_i64(row.get("first_version")),
        created_at,
        deleted_at: row.get::<_, Option<PgTimestamp>>("deleted_at").map(|PgTimestamp(at)| at),
    }
}
