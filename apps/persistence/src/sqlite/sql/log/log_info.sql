-- Purpose: what there is to know of the log as a whole: its last position, and when it was made.
-- Parameters: none.
-- Zero rows: never; the migration made the row.
-- Index: primary key of log.
SELECT head, created_at FROM log WHERE id = 1
