-- Rule: index entries of documents belong to documents.
-- Parameters: 1 how many findings at most. No row: it holds. Index: documents_pkey; it looks at every entry.
SELECT format('index %s of %s has an entry for %s, which is not there', i.index_name, i.collection, i.key) AS what
FROM {schema}.document_index i LEFT JOIN {schema}.documents d USING (collection, key)
WHERE d.key IS NULL
LIMIT $1
