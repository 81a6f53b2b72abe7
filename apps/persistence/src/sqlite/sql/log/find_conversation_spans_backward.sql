-- Purpose: spans of positions that may hold events of a time, in reverse order, each with the filter of their conversations.
-- Parameters: ?1 lowest and ?2 highest first position, ?3 first moment or null, ?4 moment behind the last or null, ?5 how many
--   at most.
-- Zero rows: no such spans. A filter that is null was lost, and says nothing.
-- Index: primary keys of spans, in its order, and of span_conversations.
SELECT s.first_position, c.filter
FROM spans AS s LEFT JOIN span_conversations AS c ON c.first_position = s.first_position
WHERE s.first_position BETWEEN ?1 AND ?2
    AND (?3 IS NULL OR s.max_recorded_at >= ?3) AND (?4 IS NULL OR s.min_recorded_at < ?4)
ORDER BY s.first_position DESC
LIMIT ?5
