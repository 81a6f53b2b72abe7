-- Purpose: deletes a document.
-- Parameters: ?1 collection, ?2 key.
-- Zero rows: always.
-- Index: primary key of documents.
DELETE FROM documents WHERE collection = ?1 AND key = ?2
