-- Purpose: the whole log with all its columns, whichever they are.
-- Parameters: none. Zero rows: the log is empty. Index: the table itself.
SELECT * FROM events ORDER BY position
