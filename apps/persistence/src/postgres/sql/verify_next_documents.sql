-- Where a step through documents ends: behind so many.
-- Parameters: 1 where the step before ended, collection and key as a list of JSON, 2 how many. No row: there are no more.
-- Index: documents_pkey, in its order.
SELECT json_build_array(collection, key)::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT collection, key FROM {schema}.documents
    WHERE (collection, key) > ($1::text::json->>0, $1::text::json->>1)
    ORDER BY collection, key LIMIT $2
) step
ORDER BY collection DESC, key DESC LIMIT 1
