-- Rule: index entries of documents belong to documents.
-- Parameters: 1 how many findings at most, 2 and 3 the documents to look at, behind the one up to the other, each collection and
-- key as a list of JSON. No row: it holds. Index: document_index_by_key; documents_pkey.
SELECT format('index %s of %s has an entry for %s, which is not there', i.index_name, i.collection, i.key) AS what
FROM {schema}.document_index i
WHERE (i.collection, i.key) > ($2::text::json->>0, $2::text::json->>1)
    AND (i.collection, i.key) <= ($3::text::json->>0, $3::text::json->>1)
    AND NOT EXISTS (SELECT FROM {schema}.documents d WHERE d.collection = i.collection AND d.key = i.key)
LIMIT $1
