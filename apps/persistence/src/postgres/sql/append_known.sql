-- Writes the events of a group all of whose streams and kinds the writer knows, in one statement that needs no function: the
-- usual case. What it believes of its streams needs no check: versions only grow, and if one did, the unique index on
-- (stream_id, version) refuses the group.
-- Parameters: 1 revision, 2 now, 3 how many events; then the events in log order: 4 stream ids, 5 versions, 6 ids, 7 kinds,
--   8 correlation ids, 9 causation ids, 10 subjects (empty when there are none), 11 JSON data, 12 binary data (likewise),
--   13 metadata.
-- One row: the position before the group's first. No row, and nothing done, when this is no usual case: streams were
--   changed since the revision, the group closes a span, or one of its events is in the archive. Then append_group knows.
-- Index: log_pkey, archive_event_id_key.
WITH log AS (
    UPDATE {schema}.log SET position = position + $3::bigint
    WHERE one AND revision = $1 AND (position + $3::bigint) / 4096 = position / 4096
        AND (archived_to = 0 OR NOT EXISTS (SELECT FROM {schema}.archive WHERE event_id = ANY ($6::uuid[])))
    RETURNING position - $3::bigint AS base
), stored AS (
    INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id,
        correlation_id, causation_id, subject, data, bytes, metadata)
    SELECT log.base + ordinal, stream_id, version, $2::timestamptz, kind_id, event_id, correlation_id, causation_id,
        subject, data, bytes, metadata
    FROM log, unnest($4::bigint[], $5::bigint[], $6::uuid[], $7::int[], $8::uuid[], $9::uuid[],
        $10::text[], $11::json[], $12::bytea[], $13::json[]) WITH ORDINALITY
        AS new (stream_id, version, event_id, kind_id, correlation_id, causation_id,
            subject, data, bytes, metadata, ordinal)
)
SELECT base AS base_position FROM log
