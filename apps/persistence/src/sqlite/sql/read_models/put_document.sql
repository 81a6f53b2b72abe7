-- Purpose: writes a document, whether or not there was one.
-- Parameters: ?1 collection, ?2 key, ?3 body.
-- Zero rows: always.
-- Index: primary key of documents.
INSERT INTO documents (collection, key, body) VALUES (?1, ?2, ?3)
ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body
