-- Purpose: a page of all documents by an index, upwards: first those without an entry, by key, which are only looked for when some
--   document of the collection ever lacked one; then the entries in the order of the index, of each document the least.
-- Parameters: ?1 collection, {index} the index, {limit} how many at most, {offset} how many to skip, {end} both together.
-- Zero rows: the page lies behind the last document.
-- Index: primary keys of document_shapes, documents and document_index, in their order; document_index_by_key for each one met.
WITH lacking AS MATERIALIZED (
    SELECT d.key FROM documents AS d
    WHERE d.collection = ?1 AND NOT EXISTS (
        SELECT 1 FROM document_index AS i WHERE i.collection = ?1 AND i.key = d.key AND i.index_name = {index}
    )
    ORDER BY d.key LIMIT CASE WHEN EXISTS (
        SELECT 1 FROM document_shapes AS s
        WHERE s.collection = ?1 AND NOT EXISTS (SELECT 1 FROM json_each(s.indexes) AS own WHERE own.value = {index})
    ) THEN {end} ELSE 0 END
), walked AS MATERIALIZED (
    SELECT i.value, i.key FROM document_index AS i
    WHERE i.collection = ?1 AND i.index_name = {index} AND i.value = (
        SELECT min(own.value) FROM document_index AS own
        WHERE own.collection = ?1 AND own.key = i.key AND own.index_name = {index}
    )
    ORDER BY i.value, i.key LIMIT {end} - (SELECT count(*) FROM lacking)
), page AS MATERIALIZED (
    SELECT NULL AS value, key FROM lacking UNION ALL SELECT value, key FROM walked
    ORDER BY value, key LIMIT {limit} OFFSET {offset}
)
SELECT d.key, d.body FROM page CROSS JOIN documents AS d ON d.collection = ?1 AND d.key = page.key
ORDER BY page.value, page.key
