-- Purpose: fragment, the first filter of a query: it leads to the documents.
-- Parameters: ?1 collection, {index} the index; {test} is put in from a test fragment.
-- Zero rows: none match.
-- Index: primary key of document_index.
AND d.key IN (
    SELECT i.key FROM document_index AS i WHERE i.collection = ?1 AND i.index_name = {index} AND {test}
)
