-- Purpose: the tables of the file, those of SQLite itself included; with the schema's go the pages that are free.
-- Parameters: none.
-- Zero rows: never.
-- Index: none; all of the schema is looked at.
SELECT 'sqlite_schema' UNION ALL SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0
