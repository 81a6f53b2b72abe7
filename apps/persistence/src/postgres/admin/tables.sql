-- Purpose: the tables and views of a schema.
-- Parameters: $1 the schema's name.
-- Zero rows: the schema is empty or is not there.
-- Index: those of the catalogue; they are small.
SELECT class.relname::text AS name
FROM pg_class class
JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname = $1 AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY class.relname
