-- Purpose: how far the log goes, and its archive.
-- Parameters: none.
-- Zero rows: never; the migration made the row.
-- Index: primary key of log.
SELECT head, archived_to FROM log WHERE id = 1
