-- Purpose: the kind of the event at a position, wherever it is.
-- Parameters: ?1 position.
-- Zero rows: there is none.
-- Index: primary keys of events and archived_events.
SELECT kind_id FROM whole_log WHERE position = ?1
