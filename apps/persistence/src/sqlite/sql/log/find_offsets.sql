-- Purpose: where the events of a kind are in a span.
-- Parameters: ?1 kind_id, ?2 first position of the span.
-- Zero rows: there are none, or the log has not passed the span.
-- Index: primary key of span_kinds.
SELECT offsets FROM span_kinds WHERE kind_id = ?1 AND first_position = ?2
