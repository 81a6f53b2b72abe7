-- Purpose: a page of the documents that match. {filters} and {order} are put in from the fragments.
-- Parameters: ?1 collection, those of the fragments, {limit} how many at most, {offset} how many to skip.
-- Zero rows: none match, or the page lies behind the last match.
-- Index: the first filter's entries through the primary key of document_index, then the primary key of
--   documents; without a filter the latter alone.
SELECT d.key, d.body
FROM documents AS d
WHERE d.collection = ?1 {filters}
ORDER BY {order}
LIMIT {limit} OFFSET {offset}
