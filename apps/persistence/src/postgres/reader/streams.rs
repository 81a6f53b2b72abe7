//! What there is to know of streams, of one and of all.

use tokio_postgres::Row;
use umbel_core::{
    StreamName, Version,
    document::Direction,
    store::{ListStreams, ReadError, StoreError, StreamInfo, StreamList, StreamSort},
};

use super::{Reader, sorted};
use crate::postgres::types::PgTimestamp;

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
        let key = match request.sort {
            StreamSort::Name => "listed.name",
            StreamSort::Version => "coalesce(v.version, listed.head)",
            StreamSort::CreatedAt => "listed.created_at",
            StreamSort::DeletedAt => "listed.deleted_at",
        };
        let text = self.statements.list_streams.replace("{key}", key);
        let behind = match (&request.behind, request.direction) {
            (None, _) => "$4::text IS NULL",
            (Some(_), Direction::Forward) => "listed.name > $4",
            (Some(_), Direction::Backward) => "listed.name < $4",
        };
        let text = text.replace("{sorted}", sorted(request.direction)).replace("{behind}", behind);
        let name = request.behind.as_ref().map(StreamName::as_str);
        let search = request.search.unwrap_or_default();
        let offset = i64::try_from(request.offset).unwrap_or(i64::MAX);
        let rows = self.query(&text, &[&search, &offset, &i64::from(request.limit), &name]).await?;
        let total = rows.first().and_then(|row| row.get::<_, Option<i64>>("total"));
        let listed = rows.iter().filter(|row| row.get::<_, Option<&str>>("name").is_some());
        Ok(StreamList { streams: listed.map(stream_info).collect(), total: total.map(i64::unsigned_abs) })
    }
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
