-- Purpose: the number of a kind.
-- Parameters: ?1 category, ?2 type, ?3 schema.
-- Zero rows: no such event was ever appended.
-- Index: the unique one on kinds (type, category, schema).
SELECT kind_id FROM kinds WHERE type = ?2 AND category = ?1 AND schema = ?3
