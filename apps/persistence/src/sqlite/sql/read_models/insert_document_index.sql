-- Purpose: one index entry of a document.
-- Parameters: ?1 collection, ?2 index, ?3 value, ?4 key.
-- Zero rows: always.
-- Index: primary key of document_index, and document_index_by_key.
INSERT INTO document_index (collection, index_name, value, key) VALUES (?1, ?2, ?3, ?4)
