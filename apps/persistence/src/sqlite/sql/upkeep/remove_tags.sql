-- Purpose: removes what events of a stream are found by. {events} is the table: of the log or of the archive.
-- Parameters: ?1 stream_id, ?2 from which version, ?3 to below which.
-- Zero rows: always.
-- Index: the unique one on (stream_id, version), then the primary key of event_tags.
DELETE FROM event_tags WHERE (tag, position) IN (
    SELECT t.value, e.position FROM {events} AS e, json_each(e.tags) AS t
    WHERE e.stream_id = ?1 AND e.version >= ?2 AND e.version < ?3 AND e.tags IS NOT NULL
)
