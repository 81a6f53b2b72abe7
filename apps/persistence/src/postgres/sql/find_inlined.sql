-- Documents as generations have them: with the names of their collections there, those that are.
-- Parameters: 1 checkpoints, 2 collections, 3 keys. No row: there is none, or no such generation.
-- Index: checkpoints_pkey, documents_pkey.
SELECT asked.collection || c.suffix AS collection, asked.key, d.body
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (checkpoint, collection, key)
JOIN {schema}.checkpoints c ON c.projection = asked.checkpoint
LEFT JOIN {schema}.documents d ON d.key = asked.key AND d.collection = asked.collection || c.suffix
