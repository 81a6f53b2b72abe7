-- Purpose: spans of positions that may hold events of a time, in order.
-- Parameters: ?1 lowest and ?2 highest first position, ?3 first moment or null, ?4 moment behind the last or null, ?5 how many
--   at most.
-- Zero rows: no such spans.
-- Index: primary key of spans, in its order.
SELECT first_position, NULL AS filter FROM spans
WHERE first_position BETWEEN ?1 AND ?2
    AND (?3 IS NULL OR max_recorded_at >= ?3) AND (?4 IS NULL OR min_recorded_at < ?4)
ORDER BY first_position ASC
LIMIT ?5
