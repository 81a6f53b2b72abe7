-- What there is of these streams.
-- Parameters: 1 names. A stream without a row does not exist. Index: streams_name_key,
-- events_stream_id_version_key read backwards for the version.
SELECT s.name, s.stream_id, s.deleted_at IS NOT NULL AS deleted,
    coalesce((SELECT max(e.version) FROM {schema}.events e WHERE e.stream_id = s.stream_id), 0) AS version
FROM {schema}.streams s WHERE s.name = ANY ($1)
