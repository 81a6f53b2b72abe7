-- Rule: an event can be read: its data is JSON, which its column assures, or bytes; its metadata is an object, if any; its
-- time is one.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other. No row: it
-- holds. Index: events_pkey, archive_pkey.
SELECT format('event %s at position %s has ', event_id, position) || CASE
    WHEN data IS NULL AND bytes IS NULL THEN 'no data'
    WHEN data IS NOT NULL AND bytes IS NOT NULL THEN 'both JSON and bytes'
    WHEN NOT isfinite(recorded_at) THEN format('%s as its time', recorded_at)
    ELSE 'metadata that is no object'
END AS what
FROM {schema}.all_events
WHERE position > $2::text::bigint AND position <= $3::text::bigint
    AND ((data IS NULL) = (bytes IS NULL) OR json_typeof(metadata) <> 'object' OR NOT isfinite(recorded_at))
LIMIT $1
