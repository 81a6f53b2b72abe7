-- Purpose: removes a store with all it holds.
-- Parameters: none; {schema} is the store's.
-- Zero rows: always.
-- Index: none.
DROP SCHEMA {schema} CASCADE
