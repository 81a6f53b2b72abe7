-- Purpose: lets the documents with a suffix serve a collection.
-- Parameters: ?1 collection, ?2 suffix, ?3 projection's name.
-- Zero rows: always.
-- Index: primary key of served.
INSERT INTO served (collection, suffix, name) VALUES (?1, ?2, ?3)
ON CONFLICT (collection) DO UPDATE SET suffix = excluded.suffix, name = excluded.name
