-- Purpose: a new kind.
-- Parameters: ?1 category, ?2 type, ?3 schema.
-- Zero rows: always; its number is the last inserted row id.
-- Index: the unique one on kinds (type, category, schema), and kinds_by_category.
INSERT INTO kinds (category, type, schema) VALUES (?1, ?2, ?3)
