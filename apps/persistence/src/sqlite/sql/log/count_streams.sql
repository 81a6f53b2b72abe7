-- Purpose: how many streams match, the log itself among them.
-- Parameters: ?1 text that their names contain, ?2 their category, or null, ?3 the first name that they may have, ?4 a name that theirs
--   come before, or null (an empty blob is behind every text).
-- Zero rows: never.
-- Index: the unique one on streams.name; every stream of the category, or of all, is looked at.
SELECT (instr('$all', ?1) > 0 AND coalesce(?2, '$all') = '$all') + (
    SELECT count(*) FROM streams
    WHERE version > 0 AND instr(name, ?1) > 0 AND (?2 IS NULL OR instr(?2, '-') = 0 AND (name = ?2 OR instr(name, ?2 || '-') = 1))
        AND name >= ?3 AND name < coalesce(?4, x'')
)
