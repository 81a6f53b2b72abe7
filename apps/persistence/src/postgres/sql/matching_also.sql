-- A further filter of matching_documents.sql and find_documents.sql: the document has such an entry, too. {test} is filter_equal.sql,
-- filter_in.sql or filter_range.sql; {named} is the collection. It is asked of each document that was met, and never led by.
-- Parameters: those of the filter. Index: document_index_pkey or document_index_by_key, once for each document.
AND (
    SELECT true FROM {schema}.document_index i
    WHERE i.collection = {named} AND i.key = led.key AND {test} LIMIT 1
)
