-- Purpose: notes under which indexes a document has entries.
-- Parameters: ?1 collection, ?2 the indexes' names, sorted, a list of JSON.
-- Zero rows: always.
-- Index: primary key of document_shapes.
INSERT INTO document_shapes (collection, indexes) VALUES (?1, ?2) ON CONFLICT DO NOTHING
