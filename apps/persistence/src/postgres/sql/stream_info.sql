-- One stream.
-- Parameters: 1 name. No row: nothing was ever appended. Index: streams_name_key,
-- events_stream_id_version_key read backwards for the version.
SELECT name, version, first_version, created_at, deleted_at FROM {schema}.versioned_streams WHERE name = $1
