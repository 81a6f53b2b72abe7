-- Documents by key, one row for each asked for, in order.
-- Parameters: 1 collections, 2 keys. A null body: there is none. Index: documents_pkey.
SELECT d.body
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (collection, key, ordinal)
LEFT JOIN {schema}.documents d ON d.collection = asked.collection AND d.key = asked.key
ORDER BY asked.ordinal
