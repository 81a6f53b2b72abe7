-- Purpose: whether what stands at a version of a stream is being removed.
-- Parameters: ?1 the stream's name, ?2 the version.
-- Zero rows: never.
-- Index: the unique one on streams.name, and the primary key of removals.
SELECT EXISTS (
    SELECT 1 FROM streams AS s CROSS JOIN removals AS r ON r.stream_id = s.stream_id
    WHERE s.name = ?1 AND r.before_version > ?2
)
