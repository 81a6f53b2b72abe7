-- Purpose: the kinds of events in streams of certain categories.
-- Parameters: ?1 the categories as a JSON list, ?2 how many at most.
-- Zero rows: no such event was ever appended.
-- Index: kinds_by_category.
SELECT kind_id FROM kinds WHERE category IN (SELECT value FROM json_each(?1)) LIMIT ?2
