-- Purpose: events at known positions with all their columns.
-- Parameters: 1 the positions as a JSON array. Zero rows: none is there. Index: the table itself.
SELECT * FROM events WHERE position IN (SELECT value FROM json_each(?1)) ORDER BY position
