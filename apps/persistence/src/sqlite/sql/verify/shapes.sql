-- Purpose: finds documents of whose collection it is not noted under which indexes they have entries: who sorts by an index would not look
--   for those without one.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: document_index_by_key and the primary key of document_shapes, for every document.
SELECT 'document ' || d.key || ' of ' || d.collection || ' has entries under the indexes ' || d.indexes
    || ', and that its collection has such is not noted'
FROM (
    SELECT collection, key, (
        SELECT json_group_array(own.index_name) FROM (
            SELECT DISTINCT i.index_name FROM document_index AS i
            WHERE i.collection = documents.collection AND i.key = documents.key ORDER BY i.index_name
        ) AS own
    ) AS indexes FROM documents
) AS d
WHERE NOT EXISTS (SELECT 1 FROM document_shapes AS s WHERE s.collection = d.collection AND s.indexes = d.indexes)
LIMIT ?1
