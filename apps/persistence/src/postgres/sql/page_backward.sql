-- A page of all_documents.sql by an index, downwards: the entries against the order of the index, of each document the least, up to the
-- page's end; then those without an entry, by key, which are only looked for when the others do not fill the page and some document of the
-- collection ever lacked one. Equal entries are sorted by key upwards, so of the last value on the page, the edge, others are taken than
-- were met: from its beginning, however many documents have it.
-- Parameters: those of query_documents.sql. No row: the page lies behind the last document.
-- Index: document_index_pkey in its order, document_index_by_key for each one met, document_shapes_pkey, documents_pkey.
met AS MATERIALIZED (
    SELECT i.value, i.key FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.index_name = $5 AND i.value = (
        SELECT own.value FROM {schema}.document_index own
        WHERE own.collection = i.collection AND own.key = i.key AND own.index_name = $5
        ORDER BY own.value LIMIT 1
    )
    ORDER BY i.value DESC, i.key DESC LIMIT (SELECT rows FROM reach)
), edge AS MATERIALIZED (
    SELECT value FROM met ORDER BY value LIMIT 1
), at_edge AS MATERIALIZED (
    SELECT i.value, i.key FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.index_name = $5 AND i.value = (SELECT value FROM edge) AND i.value = (
        SELECT own.value FROM {schema}.document_index own
        WHERE own.collection = i.collection AND own.key = i.key AND own.index_name = $5
        ORDER BY own.value LIMIT 1
    )
    ORDER BY i.key LIMIT (SELECT count(*) FROM met WHERE value = (SELECT value FROM edge))
), lacking AS MATERIALIZED (
    SELECT d.key FROM {schema}.documents d
    WHERE d.collection = (SELECT collection FROM named) AND EXISTS (
        SELECT FROM {schema}.document_shapes s
        WHERE s.collection = (SELECT collection FROM named) AND NOT $5 = ANY (s.indexes)
    ) AND (
        SELECT i.value FROM {schema}.document_index i
        WHERE i.collection = d.collection AND i.key = d.key AND i.index_name = $5 LIMIT 1
    ) IS NULL
    ORDER BY d.key LIMIT (SELECT rows FROM reach) - (SELECT count(*) FROM met)
), page AS MATERIALIZED (
    SELECT key, value FROM (
        SELECT key, value FROM met WHERE value > (SELECT value FROM edge)
        UNION ALL SELECT key, value FROM at_edge
        UNION ALL SELECT key, NULL::bytea FROM lacking
    ) AS found
    ORDER BY value {sorted}, key OFFSET $3 LIMIT $4
)
