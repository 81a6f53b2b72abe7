-- Purpose: fragment, whether a candidate fulfils the other conditions of a selector; null is a condition that there
--   is not.
-- Parameters: ?4 names and ?5 categories as JSON lists, ?6 correlation_id, ?7 causation_id, ?8 first moment, ?9 moment behind
--   the last.
-- Zero rows: never matters.
-- Index: primary key of kinds.
(?4 IS NULL
        OR (SELECT k.type IN (SELECT value FROM json_each(?4)) FROM kinds AS k WHERE k.kind_id = e.kind_id))
    AND (?5 IS NULL
        OR (SELECT k.category IN (SELECT value FROM json_each(?5)) FROM kinds AS k WHERE k.kind_id = e.kind_id))
    AND (?6 IS NULL OR e.correlation_id IS ?6)
    AND (?7 IS NULL OR e.causation_id IS ?7)
    AND (?8 IS NULL OR e.recorded_at >= ?8)
    AND (?9 IS NULL OR e.recorded_at < ?9)
