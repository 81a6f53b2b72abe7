-- A page of the documents that match, of those that serve, with how many match at all, of one snapshot. {filters} stands for conditions
-- from filter_in.sql and filter_range.sql, {sorted} for the direction of order_by (empty, or DESC NULLS LAST).
-- Parameters: 1 collection, 2 the index to sort by (null: by key), 3 how many to skip, 4 how many at most,
--   5 the indexes it uses; then the filters'.
-- One row whose key is null: no document on this page. unserved: one of the indexes, when what serves was not built with it. A document without an entry sorts before all others.
-- Index: served_pkey, documents_pkey, document_index_pkey for filters, document_index_by_key for the order.
WITH named AS MATERIALIZED (
    SELECT $1::text || coalesce(served.suffix, '') AS collection, (
        SELECT used.index FROM unnest($5::text[]) AS used (index)
        WHERE NOT $1 || '/' || used.index = ANY (served.indexes) LIMIT 1
    ) AS unserved
    FROM (VALUES (1)) AS one
    LEFT JOIN {schema}.served ON served.collection = $1
), matches AS MATERIALIZED (
    SELECT d.key, (
        SELECT i.value FROM {schema}.document_index i
        WHERE i.collection = d.collection AND i.key = d.key AND i.index_name = $2
        ORDER BY i.value LIMIT 1
    ) AS value
    FROM {schema}.documents d
    WHERE d.collection = (SELECT collection FROM named){filters}
), page AS (
    SELECT key, value FROM matches ORDER BY value {sorted}, key OFFSET $3 LIMIT $4
)
SELECT (SELECT count(*) FROM matches) AS total, (SELECT unserved FROM named), page.key, d.body
FROM (VALUES (1)) AS one
LEFT JOIN (page JOIN {schema}.documents d ON d.collection = (SELECT collection FROM named) AND d.key = page.key) ON true
ORDER BY page.value {sorted}, page.key
