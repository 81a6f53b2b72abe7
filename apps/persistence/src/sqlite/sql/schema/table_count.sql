-- Purpose: whether the file holds anything yet, and whether it is ours.
-- Parameters: none. Answers the number of tables, and of those named schema_migrations.
-- Zero rows: never.
-- Index: none; the schema is small and in memory.
SELECT count(*), coalesce(sum(name = 'schema_migrations'), 0) FROM sqlite_schema WHERE type = 'table'
