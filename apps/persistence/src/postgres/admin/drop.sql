-- Purpose: removes a schema, from which what a store holds was removed.
-- Parameters: none; {schema} is the store's.
-- Zero rows: always.
-- Index: none.
DROP SCHEMA {schema} RESTRICT
