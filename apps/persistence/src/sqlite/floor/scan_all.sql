-- Purpose: the log up to a position with all its columns, whichever they are.
-- Parameters: 1 the last position. Zero rows: the log is empty. Index: the table itself.
SELECT * FROM events WHERE position <= ?1 ORDER BY position
