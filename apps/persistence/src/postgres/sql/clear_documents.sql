-- Removes some documents of collections with their index entries, if a projection's checkpoint stands where it is expected.
-- Parameters: 1 projection, 2 the checkpoint expected, 3 collections, 4 how many at most.
-- Always one row: how many were removed. Index: checkpoints_pkey, documents_pkey, document_index_by_key.
SELECT {schema}.clear_documents($1, $2, $3, $4) AS removed
