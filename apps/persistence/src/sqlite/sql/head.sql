-- Purpose: position of the log's last event.
-- Parameters: none.
-- Zero rows: never; the migration made the row.
-- Index: primary key of log.
SELECT head FROM log WHERE id = 1
