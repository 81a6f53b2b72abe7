-- A condition of query_documents.sql: the document has a value between two others, both included, under an index.
-- Parameters: {index} its name, {from} and {to} the bounds. Index: document_index_pkey.
AND EXISTS (
    SELECT 1 FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.key = d.key AND i.index_name = {index}
        AND i.value BETWEEN {from}::bytea AND {to}::bytea
)
