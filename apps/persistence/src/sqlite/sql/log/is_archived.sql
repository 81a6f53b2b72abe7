-- Purpose: whether one of these events is in the archive.
-- Parameters: ?1 the event ids in hexadecimal as a JSON list.
-- Zero rows: never.
-- Index: the unique one on archived_events.event_id.
SELECT EXISTS (
    SELECT 1
    FROM json_each(?1) AS w CROSS JOIN archived_events AS e ON e.event_id = unhex(w.value)
)
