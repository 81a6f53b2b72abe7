-- Purpose: the kinds of events with certain names.
-- Parameters: ?1 the names as a JSON list, ?2 how many at most.
-- Zero rows: no such event was ever appended.
-- Index: the unique one on kinds (type, category, schema).
SELECT kind_id FROM kinds WHERE type IN (SELECT value FROM json_each(?1)) LIMIT ?2
