-- Purpose: a page of the list of streams, sorted by name, in reverse order; the log itself is one of them.
-- Parameters: ?1 text that their names contain, ?2 how many at most, ?3 how many to skip, ?4 a name that they come
--   behind in this order, or null (an empty blob is behind every text).
-- Zero rows: none match, or the page lies behind the last match.
-- Index: the unique one on streams.name, in its order.
SELECT '$all' AS name, head AS version, 1 AS first_version, created_at, NULL AS deleted_at
FROM log WHERE instr('$all', ?1) > 0 AND '$all' < coalesce(?4, x'')
UNION ALL
SELECT name, version, first_version, created_at, deleted_at
FROM streams WHERE version > 0 AND instr(name, ?1) > 0 AND name < coalesce(?4, x'')
ORDER BY name DESC
LIMIT ?2 OFFSET ?3
