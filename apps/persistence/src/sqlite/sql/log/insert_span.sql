-- Purpose: the times of a span, once all of its events are written.
-- Parameters: ?1 first position, ?2 earliest and ?3 latest time.
-- Zero rows: always.
-- Index: primary key of spans.
INSERT INTO spans (first_position, min_recorded_at, max_recorded_at) VALUES (?1, ?2, ?3)
