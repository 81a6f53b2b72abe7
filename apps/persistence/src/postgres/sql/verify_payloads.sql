-- Rule: an event's data can be read: it is JSON, which its column assures, or bytes; its metadata is an object, if any.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at everything.
SELECT format('event %s at position %s has ', event_id, position) || CASE
    WHEN data IS NULL AND bytes IS NULL THEN 'no data'
    WHEN data IS NOT NULL AND bytes IS NOT NULL THEN 'both JSON and bytes'
    ELSE 'metadata that is no object'
END AS what
FROM {schema}.all_events
WHERE (data IS NULL) = (bytes IS NULL) OR json_typeof(metadata) <> 'object'
LIMIT $1
