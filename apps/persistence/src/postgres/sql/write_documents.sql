-- Replaces documents and their index entries.
-- Parameters: 1 collections, 2 keys, 3 bodies (null deletes); 4 collections, 5 keys, 6 names, 7 values of entries.
-- Always one row. Index: documents_pkey, document_index_by_key.
SELECT {schema}.write_documents($1, $2, $3, $4, $5, $6, $7)
