-- Purpose: lets the documents with a suffix serve a collection.
-- Parameters: ?1 collection, ?2 suffix, ?3 projection's name, ?4 indexes as a JSON list.
-- Zero rows: always.
-- Index: primary key of served.
INSERT INTO served (collection, suffix, name, indexes) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (collection) DO UPDATE SET suffix = excluded.suffix, name = excluded.name, indexes = excluded.indexes
