-- Purpose: how many documents match. {filters} is put in from the fragments.
-- Parameters: ?1 collection, those of the fragments.
-- Zero rows: never.
-- Index: as in query_documents.
SELECT count(*)
FROM documents AS d
WHERE d.collection = ?1 {filters}
