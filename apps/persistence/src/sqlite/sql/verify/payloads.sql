-- Purpose: finds events whose contents cannot be read.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other.
-- Zero rows: the rule holds.
-- Index: primary keys of events and archived_events.
SELECT 'position ' || position || ' has ' || CASE
    WHEN data IS NULL AND bytes IS NULL THEN 'no data'
    WHEN json_valid(data) = 0 THEN 'data that is no JSON'
    WHEN iif(coalesce(json_valid(metadata), 1), json_type(metadata) <> 'object', true) THEN 'metadata that is no JSON object'
    WHEN recorded_at NOT BETWEEN -377705116800000000 AND 253402300799999999 THEN 'a time beyond all calendars'
    ELSE 'an id that is none'
END
FROM whole_log
WHERE position > ?2 AND position <= ?3 AND (
    (data IS NULL AND bytes IS NULL) OR json_valid(data) = 0
    OR iif(coalesce(json_valid(metadata), 1), json_type(metadata) <> 'object', true)
    -- From the year -9999 to the year 9999.
    OR recorded_at NOT BETWEEN -377705116800000000 AND 253402300799999999
    OR length(event_id) <> 16 OR length(correlation_id) <> 16 OR length(causation_id) <> 16
)
LIMIT ?1
