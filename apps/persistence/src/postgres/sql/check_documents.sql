-- Verifies that documents of inline projections are as they were read.
-- Parameters: 1 collections with suffixes, 2 keys, 3 bodies as texts (null: there is none).
-- Always one row. Raises UM001 when one is not. Index: documents_pkey.
SELECT {schema}.check_documents($1, $2, $3)
