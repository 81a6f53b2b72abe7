-- Purpose: where the events of a kind are in a span.
-- Parameters: ?1 kind_id, ?2 first position of the span, ?3 their offsets, two bytes each.
-- Zero rows: always.
-- Index: primary key of span_kinds.
INSERT INTO span_kinds (kind_id, first_position, offsets) VALUES (?1, ?2, ?3)
