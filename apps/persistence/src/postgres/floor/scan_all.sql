-- Purpose: the log up to a position with all its columns, whichever they are.
-- Parameters: 1 the last position. Zero rows: the log is empty. Index: events_pkey.
SELECT * FROM {schema}.events WHERE position <= $1 ORDER BY position
