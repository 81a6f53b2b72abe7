-- Purpose: an empty schema that says whose it is, so that whoever finds it knows whether its maker is gone.
-- Parameters: none; {owner} is the text, its quotes doubled.
-- Zero rows: always.
-- Index: none.
BEGIN;
CREATE SCHEMA {schema};
COMMENT ON SCHEMA {schema} IS '{owner}';
COMMIT
