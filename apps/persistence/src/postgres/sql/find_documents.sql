-- A page, by key, of the documents that have one value under an index, with how many there are, of one snapshot: what looks up a document by
-- something that is its own costs no more than that. One entry more than the page holds tells whether there are others; only then are they
-- counted. {led} is filter_equal.sql, {filters} stands for what matching_also.sql says of each other filter.
-- Parameters: 1 collection, 2 the indexes it uses, each as collection/index, 3 how many to skip, 4 how many at most; then the filters'.
-- One row whose key is null: no document on this page. unserved: as in query_documents.sql.
-- Index: served_pkey, document_index_pkey in its order from the first entry with that value on, documents_pkey.
SELECT CASE
        WHEN page.met <= $4 THEN $3 + page.met
        WHEN page.met IS NULL AND $3 = 0 AND $4 > 0 THEN 0
        ELSE (SELECT count(*) FROM {schema}.document_index led WHERE led.collection = named.collection AND {led} {filters})
    END AS total, named.unserved, page.key,
    (SELECT d.body FROM {schema}.documents d WHERE d.collection = named.collection AND d.key = page.key) AS body
FROM (
    SELECT $1::text || coalesce(served.suffix, '') AS collection,
        CASE WHEN NOT served.indexes @> $2::text[] THEN served.indexes END AS unserved
    FROM (VALUES (1)) AS one
    LEFT JOIN {schema}.served ON served.collection = $1
    OFFSET 0
) AS named
LEFT JOIN LATERAL (
    SELECT met.key, count(*) OVER () AS met FROM (
        SELECT led.key FROM {schema}.document_index led
        WHERE led.collection = named.collection AND {led} {filters}
        ORDER BY led.key OFFSET $3::bigint LIMIT $4::bigint + 1
    ) AS met
    LIMIT $4
) AS page ON true
ORDER BY page.key
