-- A page of the documents that match, with how many match at all, of one snapshot. {matches} stands for what
-- all_documents.sql or matching_documents.sql says, {page} for one of the ways through them: page_by_key.sql; page_forward.sql and
-- page_backward.sql through all, matches_forward.sql and matches_backward.sql through those that match filters. {sorted} is the direction
-- of order_by. Pages by key of what has one value under an index are find_documents.sql's.
-- Parameters: 1 collection, 2 the indexes it uses, each as collection/index, 3 how many to skip, 4 how many at most; then, if it is sorted
-- by an index, that; then the filters'.
-- One row whose key is null: no document on this page. unserved: what that which serves was built with, if one of the indexes is not in it. A
-- document counts at its least value, and sorts before all others without one.
-- Index: served_pkey, documents_pkey for the bodies, and those of the fragments. Nothing is looked for behind the page's end, nor on a
-- page behind the last match.
WITH named AS MATERIALIZED (
    SELECT $1::text || coalesce(served.suffix, '') AS collection,
        CASE WHEN NOT served.indexes @> $2::text[] THEN served.indexes END AS unserved
    FROM (VALUES (1)) AS one
    LEFT JOIN {schema}.served ON served.collection = $1
), {matches}, reach AS MATERIALIZED (
    SELECT total, CASE WHEN $3::bigint < total AND $4::bigint > 0 THEN $3 + $4 ELSE 0 END AS rows
    FROM (SELECT count(*) AS total FROM matches) AS counted
), {page}
SELECT (SELECT total FROM reach) AS total, (SELECT unserved FROM named) AS unserved, page.key, (
    SELECT d.body FROM {schema}.documents d WHERE d.collection = (SELECT collection FROM named) AND d.key = page.key
) AS body
FROM (VALUES (1)) AS one
LEFT JOIN page ON true
ORDER BY page.value {sorted}, page.key
