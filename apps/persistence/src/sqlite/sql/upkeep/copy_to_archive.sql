-- Purpose: copies the beginning of the log to the archive.
-- Parameters: ?1 the last position.
-- Zero rows: always.
-- Index: primary keys of events and archived_events.
INSERT INTO archived_events SELECT * FROM events WHERE position <= ?1
