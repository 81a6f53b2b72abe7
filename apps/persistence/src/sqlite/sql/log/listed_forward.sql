-- Purpose: where the events of a kind are, span by span, in order.
-- Parameters: ?1 kind_id, ?2 lowest and ?3 highest first position.
-- Zero rows: none in these spans.
-- Index: primary key of span_kinds, in its order.
SELECT first_position, offsets
FROM span_kinds
WHERE kind_id = ?1 AND first_position BETWEEN ?2 AND ?3
ORDER BY first_position ASC
