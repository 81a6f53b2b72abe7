-- Purpose: which schemas of the database hold a store of ours, told by its bookkeeping and its log.
-- Parameters: $1 a schema's name, or null for all.
-- Zero rows: there is none, or this schema holds none.
-- Index: those of the catalogue; they are small.
SELECT namespace.nspname::text AS schema
FROM pg_namespace namespace
JOIN pg_class bookkeeping ON bookkeeping.relnamespace = namespace.oid
    AND bookkeeping.relname = 'schema_migrations' AND bookkeeping.relkind = 'r'
JOIN pg_class log ON log.relnamespace = namespace.oid AND log.relname = 'log' AND log.relkind = 'r'
WHERE ($1::text IS NULL OR namespace.nspname = $1)
  AND 3 = (
      SELECT count(*) FROM pg_attribute
      WHERE attrelid = bookkeeping.oid AND attname IN ('number', 'name', 'checksum') AND NOT attisdropped
  )
ORDER BY namespace.nspname
