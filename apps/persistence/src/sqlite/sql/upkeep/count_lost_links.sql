-- Purpose: counts the links to events of a stream that are about to be removed, in the streams that hold them. {events} is the
--   table: of the log or of the archive.
-- Parameters: ?1 stream_id, ?2 from which version, ?3 to below which, ?4 how many links at most, the first by position and stream.
-- Zero rows: always.
-- Index: the unique one on (stream_id, version), then links_by_position, then the primary key of streams.
UPDATE streams SET removed = removed + lost
FROM (
    SELECT stream_id AS loser, count(*) AS lost
    FROM (
        SELECT stream_id FROM links
        WHERE position IN (SELECT position FROM {events} WHERE stream_id = ?1 AND version >= ?2 AND version < ?3)
        ORDER BY position, stream_id LIMIT ?4
    )
    GROUP BY stream_id
)
WHERE streams.stream_id = loser
