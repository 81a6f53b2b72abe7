-- What there is of these streams.
-- Parameters: 1 names. A stream without a row does not exist. Index: streams_name_key,
-- events_stream_id_version_key read backwards for the version.
SELECT name, stream_id, deleted_at IS NOT NULL AS deleted, plain, version
FROM {schema}.versioned_streams WHERE name = ANY ($1)
