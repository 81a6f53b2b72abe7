-- Purpose: where the events of a kind are in a span from now on.
-- Parameters: ?1 kind_id, ?2 first position of the span, ?3 their offsets, two bytes each.
-- Zero rows: always.
-- Index: primary key of span_kinds.
UPDATE span_kinds SET offsets = ?3 WHERE kind_id = ?1 AND first_position = ?2
