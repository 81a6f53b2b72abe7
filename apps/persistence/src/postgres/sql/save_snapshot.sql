-- Keeps a snapshot unless there is one of a newer version, or its stream is not there or ends before it. The stream's row is locked
-- against its removal, which removes the snapshot as well: the one waits for the other, whichever comes first.
-- Parameters: 1 the stream's name, 2 version, 3 state, 4 schema, 5 when it was taken, 6 data.
-- One row: it was kept; none: it was not. Index: streams_name_key, events_stream_id_version_key, snapshots_pkey.
WITH own AS MATERIALIZED (
    SELECT stream_id FROM {schema}.streams WHERE name = $1 FOR KEY SHARE
)
INSERT INTO {schema}.snapshots AS kept (stream, version, state, schema, taken_at, data)
SELECT $1::text, $2::bigint, $3::text, $4::bigint, $5::timestamptz, $6::json
FROM own JOIN {schema}.versioned_streams s ON s.stream_id = own.stream_id
WHERE s.version >= $2
ON CONFLICT (stream) DO UPDATE SET version = excluded.version, state = excluded.state, schema = excluded.schema,
    taken_at = excluded.taken_at, data = excluded.data
WHERE kept.version <= excluded.version
RETURNING stream
