-- Purpose: the first of the list of streams, sorted by version; the log itself is one of them.
-- Parameters: ?1 text that their names contain, ?2 how many at most, ?3 how many to skip, ?4 their category, or null,
--   ?5 which way (1 forward, -1 backward).
-- Zero rows: none match, or so many were skipped.
-- Index: none; every stream is looked at once, and no more are kept than asked for and skipped. An index would cost each append.
SELECT name, version, first_version, created_at, deleted_at
FROM (
    SELECT '$all' AS name, head AS version, 1 AS first_version, created_at, NULL AS deleted_at, ?5 AS way
    FROM log
    UNION ALL
    SELECT name, version, first_version, created_at, deleted_at, ?5
    FROM streams WHERE version > 0
)
WHERE instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1))
ORDER BY way * version, iif(way > 0, name, NULL), name DESC
LIMIT ?2 OFFSET ?3
