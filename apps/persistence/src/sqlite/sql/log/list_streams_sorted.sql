-- Purpose: a page of the list of streams, sorted by something else than their names; the log itself is one of them.
-- Parameters: ?1 text that their names contain, ?2 how many at most, ?3 how many to skip, ?4 what they are sorted by (1 version,
--   2 created_at, 3 deleted_at), ?5 which way (1 forward, -1 backward), ?6 a name that theirs come behind that way, or null.
-- Zero rows: none match, or the page lies behind the last match.
-- Index: none; every matching stream is looked at.
SELECT name, version, first_version, created_at, deleted_at
FROM (
    SELECT '$all' AS name, head AS version, 1 AS first_version, created_at, NULL AS deleted_at
    FROM log
    UNION ALL
    SELECT name, version, first_version, created_at, deleted_at
    FROM streams WHERE version > 0
)
WHERE instr(name, ?1) > 0 AND CASE WHEN ?6 IS NULL THEN 1 WHEN ?5 > 0 THEN name > ?6 ELSE name < ?6 END
ORDER BY ?5 * CASE ?4 WHEN 1 THEN version WHEN 2 THEN created_at ELSE coalesce(deleted_at, 9223372036854775807) END, name
LIMIT ?2 OFFSET ?3
