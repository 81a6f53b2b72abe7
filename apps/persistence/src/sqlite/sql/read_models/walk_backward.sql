-- Purpose: a page of many documents that match filters, by an index, downwards: the entries against the order of the index, past those of
--   others. Equal entries are sorted by key upwards, so of the last value on the page, the edge, others are taken than were met: from its
--   beginning. Both end behind so many entries: a page that is not full is none, and query_documents sorts the matches instead. {filters} is
--   put in from documents_and_filter, for each filter.
-- Parameters: ?1 collection, {index} the index, {most} how many entries at most, {limit} how many documents, {offset} how many to skip, {end}
--   both together; those of the fragments.
-- Zero rows: the matches are rare, or far behind.
-- Index: primary key of document_index, in its order; document_index_by_key for each one met, and what documents_and_filter names; primary key
--   of documents.
WITH met AS MATERIALIZED (
    SELECT d.value, d.key FROM (
        SELECT value, key FROM document_index WHERE collection = ?1 AND index_name = {index}
        ORDER BY value DESC, key DESC LIMIT {most}
    ) AS d
    WHERE d.value = (
        SELECT min(own.value) FROM document_index AS own
        WHERE own.collection = ?1 AND own.key = d.key AND own.index_name = {index}
    ) {filters}
    LIMIT {end}
), edge AS MATERIALIZED (
    SELECT min(value) AS value, count(*) AS met FROM met
    WHERE value = (SELECT min(value) FROM met) AND (SELECT count(*) FROM met) = {end}
), at_edge AS MATERIALIZED (
    SELECT d.value, d.key FROM (
        SELECT value, key FROM document_index
        WHERE collection = ?1 AND index_name = {index} AND value = (SELECT value FROM edge) ORDER BY key LIMIT {most}
    ) AS d
    WHERE d.value = (
        SELECT min(own.value) FROM document_index AS own
        WHERE own.collection = ?1 AND own.key = d.key AND own.index_name = {index}
    ) {filters}
    LIMIT (SELECT met FROM edge)
), page AS MATERIALIZED (
    SELECT value, key FROM met WHERE value > (SELECT value FROM edge)
    UNION ALL SELECT value, key FROM at_edge
    ORDER BY value DESC, key LIMIT {limit} OFFSET {offset}
)
SELECT d.key, d.body FROM page CROSS JOIN documents AS d ON d.collection = ?1 AND d.key = page.key
ORDER BY page.value DESC, page.key
