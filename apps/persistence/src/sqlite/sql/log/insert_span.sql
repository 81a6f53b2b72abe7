-- Purpose: the times of the positions between these, once all of them are written.
-- Parameters: ?1 lowest and ?2 highest position.
-- Zero rows: always.
-- Index: primary keys of events and archived_events.
INSERT INTO spans (first_position, min_recorded_at, max_recorded_at)
SELECT ?1, min(recorded_at), max(recorded_at)
FROM (
    SELECT recorded_at FROM events WHERE position BETWEEN ?1 AND ?2
    UNION ALL
    SELECT recorded_at FROM archived_events WHERE position BETWEEN ?1 AND ?2
)
