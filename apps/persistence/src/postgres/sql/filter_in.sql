-- A condition of query_documents.sql: the document has one of these values under an index.
-- Parameters: {index} its name, {values} a list of values. Index: document_index_pkey.
AND EXISTS (
    SELECT 1 FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.key = d.key AND i.index_name = {index} AND i.value = ANY ({values}::bytea[])
)
