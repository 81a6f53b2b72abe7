-- Removes some documents of a retired generation of a projection.
-- Parameters: 1 projection's name, 2 how many at most. Always one row: whether one is still retired.
-- Index: checkpoints_by_name, documents_pkey, document_index_by_key.
SELECT {schema}.remove_retired($1, $2) AS more
