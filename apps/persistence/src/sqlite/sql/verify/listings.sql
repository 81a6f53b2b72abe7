-- Purpose: goes through what spans say of kinds: of each, where the first event is.
-- Parameters: ?1 kind_id and ?2 first position that they come behind, ?3 how many at most.
-- Zero rows: that was all.
-- Index: primary key of span_kinds, in its order.
SELECT kind_id, first_position, substr(offsets, 1, 2)
FROM span_kinds
WHERE (kind_id, first_position) > (?1, ?2)
ORDER BY kind_id, first_position
LIMIT ?3
