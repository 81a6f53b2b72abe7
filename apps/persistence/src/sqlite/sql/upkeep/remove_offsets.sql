-- Purpose: there are no events of a kind in a span any more.
-- Parameters: ?1 kind_id, ?2 first position of the span.
-- Zero rows: always.
-- Index: primary key of span_kinds.
DELETE FROM span_kinds WHERE kind_id = ?1 AND first_position = ?2
