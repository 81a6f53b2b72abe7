-- Purpose: one document's body.
-- Parameters: ?1 collection, ?2 key.
-- Zero rows: there is none.
-- Index: primary key of documents.
SELECT body FROM documents WHERE collection = ?1 AND key = ?2
