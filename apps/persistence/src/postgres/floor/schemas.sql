-- Purpose: the schemas of a database whose names begin alike, with what their comments say.
-- Parameters: $1 what the names begin with.
-- Zero rows: there are none.
-- Index: none; the catalogue is small.
SELECT nspname::text AS name, obj_description(oid, 'pg_namespace') AS owner
FROM pg_namespace WHERE starts_with(nspname::text, $1) ORDER BY nspname
