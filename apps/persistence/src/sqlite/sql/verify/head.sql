-- Purpose: how far the log goes; null when it has no row.
-- Parameters: none.
-- Zero rows: never.
-- Index: none; there is one row.
SELECT max(head) FROM log
