-- Purpose: whether another connection has committed: then it is another number.
-- Parameters: none.
-- Zero rows: never.
-- Index: none is needed.
PRAGMA data_version
