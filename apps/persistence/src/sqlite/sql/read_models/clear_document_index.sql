-- Purpose: removes all index entries of a collection.
-- Parameters: ?1 collection.
-- Zero rows: always.
-- Index: primary key of document_index.
DELETE FROM document_index WHERE collection = ?1
