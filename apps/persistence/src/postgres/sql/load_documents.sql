-- Documents by key as the generation of a checkpoint has them, one row for each asked for, in order.
-- Parameters: 1 checkpoint, 2 collections, 3 keys. A null body: there is none. Index: checkpoints_pkey, documents_pkey.
SELECT d.body
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS asked (collection, key, ordinal)
LEFT JOIN {schema}.documents d ON d.key = asked.key
    AND d.collection = asked.collection
        || coalesce((SELECT suffix FROM {schema}.checkpoints WHERE projection = $1), '')
ORDER BY asked.ordinal
