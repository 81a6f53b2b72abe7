-- Documents by key, one row for each asked for, in order; those that serve.
-- Parameters: 1 collections, 2 keys. A null body: there is none. Index: served_pkey, documents_pkey.
SELECT d.body
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (collection, key, ordinal)
LEFT JOIN {schema}.served s ON s.collection = asked.collection
LEFT JOIN {schema}.documents d ON d.collection = asked.collection || coalesce(s.suffix, '') AND d.key = asked.key
ORDER BY asked.ordinal
