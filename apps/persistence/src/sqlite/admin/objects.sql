-- Purpose: the tables, views and triggers of a file.
-- Parameters: none.
-- Zero rows: an empty file.
-- Index: none; the schema is small and in memory.
SELECT name FROM sqlite_schema
WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY name
