-- Purpose: a page of the list of streams, sorted by name; the log itself is one of them.
-- Parameters: ?1 text that their names contain, ?2 how many at most, ?3 how many to skip, ?4 their category, or null, ?5 the first name
--   that they may have, ?6 a name that theirs come before, or null (an empty blob is behind every text).
-- Zero rows: none match, or the page lies behind the last match.
-- Index: the unique one on streams.name, in its order.
SELECT '$all' AS name, head AS version, 1 AS first_version, created_at, NULL AS deleted_at
FROM log WHERE instr('$all', ?1) > 0 AND coalesce(?4, '$all') = '$all' AND '$all' >= ?5 AND '$all' < coalesce(?6, x'')
UNION ALL
SELECT name, version, first_version, created_at, deleted_at
FROM streams
WHERE version > 0 AND instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1))
    AND name >= ?5 AND name < coalesce(?6, x'')
ORDER BY name ASC
LIMIT ?2 OFFSET ?3
