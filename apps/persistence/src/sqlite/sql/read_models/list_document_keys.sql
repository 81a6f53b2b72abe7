-- Purpose: some keys of a collection.
-- Parameters: ?1 collection, ?2 how many at most.
-- Zero rows: it is empty.
-- Index: primary key of documents.
SELECT key FROM documents WHERE collection = ?1 LIMIT ?2
