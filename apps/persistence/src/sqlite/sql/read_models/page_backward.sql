-- Purpose: a page of all documents by an index, downwards: the entries against the order of the index, of each document the least; then
--   those without an entry, by key, which are only looked for when the others do not fill the page and some document of the collection ever
--   lacked one. Equal entries are sorted by key upwards, so of the last value on the page, the edge, others are taken than were
--   met: from its beginning, however many documents have it.
-- Parameters: ?1 collection, {index} the index, {limit} how many at most, {offset} how many to skip, {end} both together.
-- Zero rows: the page lies behind the last document.
-- Index: primary keys of document_index, document_shapes and documents, in their order; document_index_by_key for each one met.
WITH met AS MATERIALIZED (
    SELECT i.value, i.key FROM document_index AS i
    WHERE i.collection = ?1 AND i.index_name = {index} AND i.value = (
        SELECT min(own.value) FROM document_index AS own
        WHERE own.collection = ?1 AND own.key = i.key AND own.index_name = {index}
    )
    ORDER BY i.value DESC, i.key DESC LIMIT {end}
), edge AS MATERIALIZED (
    SELECT min(value) AS value, count(*) AS met FROM met WHERE value = (SELECT min(value) FROM met)
), at_edge AS MATERIALIZED (
    SELECT i.value, i.key FROM document_index AS i
    WHERE i.collection = ?1 AND i.index_name = {index} AND i.value = (SELECT value FROM edge) AND i.value = (
        SELECT min(own.value) FROM document_index AS own
        WHERE own.collection = ?1 AND own.key = i.key AND own.index_name = {index}
    )
    ORDER BY i.key LIMIT (SELECT met FROM edge)
), lacking AS MATERIALIZED (
    SELECT d.key FROM documents AS d
    WHERE d.collection = ?1 AND NOT EXISTS (
        SELECT 1 FROM document_index AS i WHERE i.collection = ?1 AND i.key = d.key AND i.index_name = {index}
    )
    ORDER BY d.key LIMIT CASE WHEN EXISTS (
        SELECT 1 FROM document_shapes AS s
        WHERE s.collection = ?1 AND NOT EXISTS (SELECT 1 FROM json_each(s.indexes) AS own WHERE own.value = {index})
    ) THEN {end} - (SELECT count(*) FROM met) ELSE 0 END
), page AS MATERIALIZED (
    SELECT value, key FROM met WHERE value > (SELECT value FROM edge)
    UNION ALL SELECT value, key FROM at_edge
    UNION ALL SELECT NULL, key FROM lacking
    ORDER BY value DESC, key LIMIT {limit} OFFSET {offset}
)
SELECT d.key, d.body FROM page CROSS JOIN documents AS d ON d.collection = ?1 AND d.key = page.key
ORDER BY page.value DESC, page.key
