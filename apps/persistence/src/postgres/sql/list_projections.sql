-- The generations of a projection, or of all (null), by name and in their order.
-- Parameters: 1 projection's name. No row: none was opened. Index: checkpoints_by_name.
SELECT name, version, run, phase, position, live_after, suffix, collections, indexes, tables, tables_in, inline, joined
FROM {schema}.checkpoints
WHERE name IS NOT NULL AND ($1::text IS NULL OR name = $1)
ORDER BY name, version, run
