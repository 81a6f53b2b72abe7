-- Purpose: fragment, each further filter of a query: it is checked for each document found.
-- Parameters: ?1 collection, {index} the index; {test} is put in from a test fragment.
-- Zero rows: the document does not match.
-- Index: document_index_by_key, or the primary key of document_index when the test is an equality.
AND EXISTS (
    SELECT 1 FROM document_index AS i
    WHERE i.collection = ?1 AND i.index_name = {index} AND i.key = d.key AND {test}
)
