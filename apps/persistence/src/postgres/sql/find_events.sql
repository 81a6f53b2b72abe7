-- Where these events stand.
-- Parameters: 1 event ids. An event without a row is not in the log. Index: events_event_id_key and
-- archive_event_id_key, streams_pkey.
SELECT e.event_id, s.name, e.version, e.position
FROM {schema}.all_events e JOIN {schema}.streams s ON s.stream_id = e.stream_id
WHERE e.event_id = ANY ($1)
