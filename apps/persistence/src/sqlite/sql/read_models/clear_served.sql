-- Purpose: forgets which documents serve a projection's collections.
-- Parameters: ?1 name.
-- Zero rows: always.
-- Index: served_by_name.
DELETE FROM served WHERE name = ?1
