-- Purpose: a page of the list of streams, sorted by when they were deleted, those that live behind all of these, in reverse order; the log itself is
--   one of them.
-- Parameters: ?1 text that their names contain, ?2 how many at most, ?3 how many to skip, ?4 their category, or null, ?5 and ?6 the place
--   that they come behind in this order: a name, and when it was deleted, the greatest number for one that lives; or null.
-- Zero rows: none match, or the page lies behind the last match.
-- Index: streams_by_deletion, and for the living the unique one on streams.name, in their order.
SELECT name, version, first_version, created_at, deleted_at
FROM (
    SELECT * FROM (
        SELECT name, version, first_version, created_at, deleted_at, deleted_at AS at FROM streams
        WHERE deleted_at IS NOT NULL AND version > 0 AND instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1))
            AND (deleted_at, name) < (coalesce(?6, 9223372036854775807), coalesce(?5, x''))
        ORDER BY deleted_at DESC, name DESC LIMIT ?2 + ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT name, version, first_version, created_at, deleted_at, 9223372036854775807 AS at FROM streams
        WHERE deleted_at IS NULL AND version > 0 AND instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1))
            AND name < CASE WHEN ?6 IS NULL THEN x'' WHEN ?6 = 9223372036854775807 THEN ?5 ELSE '' END
        ORDER BY name DESC LIMIT ?2 + ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT '$all' AS name, head AS version, 1 AS first_version, created_at, NULL AS deleted_at, 9223372036854775807 AS at
        FROM log
    )
    WHERE instr(name, ?1) > 0 AND (?4 IS NULL OR instr(?4, '-') = 0 AND (name = ?4 OR instr(name, ?4 || '-') = 1)) AND name < CASE WHEN ?6 IS NULL THEN x'' WHEN ?6 = 9223372036854775807 THEN ?5 ELSE '' END
)
ORDER BY at DESC, name DESC
LIMIT ?2 OFFSET ?3
