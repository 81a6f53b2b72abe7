-- Purpose: the kinds of events with certain names in streams of certain categories.
-- Parameters: ?1 the names and ?2 the categories as JSON lists, ?3 how many at most.
-- Zero rows: no such event was ever appended.
-- Index: the unique one on kinds (type, category, schema).
SELECT kind_id FROM kinds
WHERE type IN (SELECT value FROM json_each(?1)) AND category IN (SELECT value FROM json_each(?2))
LIMIT ?3
