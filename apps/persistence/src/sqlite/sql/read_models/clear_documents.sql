-- Purpose: deletes all documents of a collection.
-- Parameters: ?1 collection.
-- Zero rows: always.
-- Index: primary key of documents.
DELETE FROM documents WHERE collection = ?1
