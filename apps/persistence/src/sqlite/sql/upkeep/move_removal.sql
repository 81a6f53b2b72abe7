-- Purpose: how far a removal has come.
-- Parameters: ?1 stream_id, ?2 the first version that no step has taken, ?3 how many events are gone, ?4 how many links.
-- Zero rows: always.
-- Index: primary key of removals.
UPDATE removals SET next_version = ?2, events = ?3, links = ?4 WHERE stream_id = ?1
