-- Purpose: finds index entries without documents.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary key of documents, for every entry.
SELECT 'collection ' || i.collection || ' has no document ' || i.key || ', and an entry of it in index ' || i.index_name
FROM document_index AS i
WHERE NOT EXISTS (SELECT 1 FROM documents AS d WHERE d.collection = i.collection AND d.key = i.key)
LIMIT ?1
