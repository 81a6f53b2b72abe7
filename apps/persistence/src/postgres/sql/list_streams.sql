-- A page of the list of streams, the log of all streams among them, with how many match at all, of one snapshot.
-- {behind} says behind which name they come: $4::text IS NULL, or listed.name with < or > $4. Then nothing is counted.
-- {key} is what to sort by: a column of `listed`, or the version, coalesce(v.version, listed.head); {sorted} the
-- direction (empty or DESC; a null counts as greater than every value).
-- Parameters: 1 what the name contains (empty: anything), 2 how many to skip, 3 how many at most, 4 the name, or null.
-- One row whose name is null: none on this page. Index: streams_name_key by name, else none: all that match are
-- sorted. events_stream_id_version_key read backwards for the versions, of the page unless sorted by them.
WITH page AS MATERIALIZED (
    SELECT listed.*, {key} AS key
    FROM (
        SELECT stream_id, name, created_at, deleted_at, first_version, NULL::bigint AS head FROM {schema}.streams
        UNION ALL
        SELECT 0::bigint, '$all'::text, created_at, NULL::timestamptz, 1::bigint, position FROM {schema}.log WHERE one
    ) listed
    LEFT JOIN {schema}.versioned_streams v ON v.stream_id = listed.stream_id
    WHERE strpos(listed.name, $1) > 0 AND {behind}
    ORDER BY {key} {sorted}, listed.name OFFSET $2 LIMIT $3
)
SELECT CASE WHEN $4::text IS NULL THEN
        (SELECT count(*) FROM {schema}.streams WHERE strpos(name, $1) > 0) + (strpos('$all', $1) > 0)::int
    END AS total,
    page.name, coalesce(v.version, page.head) AS version, page.first_version, page.created_at, page.deleted_at
FROM {schema}.log
LEFT JOIN page ON true
LEFT JOIN {schema}.versioned_streams v ON v.stream_id = page.stream_id
WHERE log.one
ORDER BY page.key {sorted}, page.name
