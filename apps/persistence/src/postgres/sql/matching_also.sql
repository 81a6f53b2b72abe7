-- A further filter of matching_documents.sql: the document has such an entry, too. {test} is filter_in.sql or filter_range.sql.
-- Parameters: those of the filter. Index: document_index_pkey, document_index_by_key.
AND EXISTS (
    SELECT 1 FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.key = led.key AND {test}
)
