-- One stream.
-- Parameters: 1 name. No row: nothing was ever appended. Index: streams_name_key,
-- events_stream_id_version_key read backwards for the version.
SELECT s.created_at, s.deleted_at,
    coalesce((SELECT max(e.version) FROM {schema}.events e WHERE e.stream_id = s.stream_id), 0) AS version
FROM {schema}.streams s WHERE s.name = $1
