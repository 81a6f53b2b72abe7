-- Purpose: bytes on disk of a schema's tables with their indexes.
-- Parameters: $1 the schema's name.
-- Zero rows: never.
-- Index: those of the catalogue; they are small.
SELECT coalesce(sum(pg_total_relation_size(class.oid)), 0)::bigint AS bytes
FROM pg_class class
JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname = $1 AND class.relkind IN ('r', 'm')
