-- A page of all_documents.sql by an index, upwards: first those without an entry, by key, which are only looked for when some document of
-- the collection ever lacked one; then the entries in the order of the index, of each document the least, up to the page's end.
-- Parameters: those of query_documents.sql. No row: the page lies behind the last document.
-- Index: document_shapes_pkey, documents_pkey, document_index_pkey in its order, document_index_by_key for each one met.
lacking AS MATERIALIZED (
    SELECT d.key FROM {schema}.documents d
    WHERE d.collection = (SELECT collection FROM named) AND EXISTS (
        SELECT FROM {schema}.document_shapes s
        WHERE s.collection = (SELECT collection FROM named) AND NOT $5 = ANY (s.indexes)
    ) AND (
        SELECT i.value FROM {schema}.document_index i
        WHERE i.collection = d.collection AND i.key = d.key AND i.index_name = $5 LIMIT 1
    ) IS NULL
    ORDER BY d.key LIMIT (SELECT rows FROM reach)
), walked AS MATERIALIZED (
    SELECT i.value, i.key FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.index_name = $5 AND i.value = (
        SELECT own.value FROM {schema}.document_index own
        WHERE own.collection = i.collection AND own.key = i.key AND own.index_name = $5
        ORDER BY own.value LIMIT 1
    )
    ORDER BY i.value, i.key LIMIT (SELECT rows FROM reach) - (SELECT count(*) FROM lacking)
), page AS MATERIALIZED (
    SELECT key, value FROM (SELECT key, NULL::bytea AS value FROM lacking UNION ALL SELECT key, value FROM walked) AS found
    ORDER BY value {sorted}, key OFFSET $3 LIMIT $4
)
