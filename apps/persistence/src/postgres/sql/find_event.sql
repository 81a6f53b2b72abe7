-- An event.
-- Parameters: 1 its id. No row: it is not in the log. Index: events_event_id_key, archive_event_id_key.
SELECT {columns} FROM {schema}.all_events e WHERE e.event_id = $1
