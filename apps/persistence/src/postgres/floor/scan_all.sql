-- Purpose: the whole log with all its columns, whichever they are.
-- Parameters: none. Zero rows: the log is empty. Index: events_pkey.
SELECT * FROM {schema}.events ORDER BY position
