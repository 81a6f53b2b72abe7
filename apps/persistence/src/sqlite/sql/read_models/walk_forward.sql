-- Purpose: a page of many documents that match filters, by an index, upwards: the entries in the order of the index, past those of others.
--   That ends behind so many entries, and is not begun where some document of the collection ever lacked one: a page that is not full is
--   none, and query_documents sorts the matches instead. {filters} is put in from documents_and_filter, for each filter.
-- Parameters: ?1 collection, {index} the index, {most} how many entries at most, {limit} how many documents, {offset} how many to skip, {end}
--   both together; those of the fragments.
-- Zero rows: the matches are rare, or far behind.
-- Index: primary keys of document_shapes and document_index, in its order; document_index_by_key for each one met, and what documents_and_filter
--   names; primary key of documents.
WITH walked AS MATERIALIZED (
    SELECT d.value, d.key FROM (
        SELECT value, key FROM document_index WHERE collection = ?1 AND index_name = {index}
        ORDER BY value, key LIMIT CASE WHEN EXISTS (
            SELECT 1 FROM document_shapes AS s
            WHERE s.collection = ?1 AND NOT EXISTS (SELECT 1 FROM json_each(s.indexes) AS own WHERE own.value = {index})
        ) THEN 0 ELSE {most} END
    ) AS d
    WHERE d.value = (
        SELECT min(own.value) FROM document_index AS own
        WHERE own.collection = ?1 AND own.key = d.key AND own.index_name = {index}
    ) {filters}
    LIMIT {end}
), page AS MATERIALIZED (
    SELECT value, key FROM walked ORDER BY value, key LIMIT {limit} OFFSET {offset}
)
SELECT d.key, d.body FROM page CROSS JOIN documents AS d ON d.collection = ?1 AND d.key = page.key
ORDER BY page.value, page.key
