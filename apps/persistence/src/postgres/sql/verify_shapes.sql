-- Rule: under which indexes a document has entries is noted, or who sorts by an index would not look for those without one.
-- Parameters: 1 how many findings at most, 2 and 3 the documents to look at, behind the one up to the other, each collection and
-- key as a list of JSON. No row: it holds. Index: documents_pkey; document_index_by_key and document_shapes_pkey for each.
SELECT format('document %s of %s has entries under the indexes {%s}, and that its collection has such is not noted',
    d.key, d.collection, array_to_string(d.indexes, ', ')) AS what
FROM (
    SELECT d.collection, d.key, coalesce((
        SELECT array_agg(DISTINCT i.index_name) FROM {schema}.document_index i
        WHERE i.collection = d.collection AND i.key = d.key
    ), '{}') AS indexes
    FROM {schema}.documents d
    WHERE (d.collection, d.key) > ($2::text::json->>0, $2::text::json->>1)
        AND (d.collection, d.key) <= ($3::text::json->>0, $3::text::json->>1)
    OFFSET 0
) d
WHERE (
    SELECT true FROM {schema}.document_shapes s WHERE s.collection = d.collection AND s.indexes = d.indexes LIMIT 1
) IS NULL
LIMIT $1
