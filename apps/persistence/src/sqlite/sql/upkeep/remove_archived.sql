-- Purpose: removes what was copied to the archive from the log.
-- Parameters: ?1 the last position.
-- Zero rows: always.
-- Index: primary key of events.
DELETE FROM events WHERE position <= ?1
