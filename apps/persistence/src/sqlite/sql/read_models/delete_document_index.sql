-- Purpose: removes all index entries of a document.
-- Parameters: ?1 collection, ?2 key.
-- Zero rows: always.
-- Index: document_index_by_key.
DELETE FROM document_index WHERE collection = ?1 AND key = ?2
