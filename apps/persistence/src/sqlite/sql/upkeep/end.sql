-- Purpose: ends that; without it the commit fails.
-- Parameters: none.
-- Zero rows: always.
-- Index: none; there is one row.
DELETE FROM upkeep
