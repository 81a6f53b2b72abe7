-- Purpose: a page of the list of streams, sorted by when they were created; the log itself is one of them.
-- Parameters: ?1 text that their names contain, ?2 how many at most, ?3 how many to skip, ?4 their category, or null, ?5 and ?6 the place
--   that they come behind in this order: a name, and when it was created; or null.
-- Zero rows: none match, or the page lies behind the last match.
-- Index: streams_by_creation, in its order.
SELECT name, version, first_version, created_at, deleted_at
FROM (
    SELECT '$all' AS name, head AS version, 1 AS first_version, created_at, NULL AS deleted_at FROM log
)
WHERE instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1))
    AND (created_at, name) > (coalesce(?6, -9223372036854775808), coalesce(?5, ''))
UNION ALL
SELECT * FROM (
    SELECT name, version, first_version, created_at, deleted_at FROM streams
    WHERE version > 0 AND instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1))
        AND (created_at, name) > (coalesce(?6, -9223372036854775808), coalesce(?5, ''))
    ORDER BY created_at, name LIMIT ?2 + ?3
)
ORDER BY 4, 1
LIMIT ?2 OFFSET ?3
