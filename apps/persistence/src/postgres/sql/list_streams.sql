-- A page of the list of streams, by name or by when they were created, the log of all streams among them; the first page with how many
-- match at all, of one snapshot.
-- {order} is the order, of columns of {t}, and {behind} the place behind which it goes on; where $4 is null it begins, and all that
-- match are counted.
-- {within} restricts the names to a category.
-- Parameters: 1 what the name contains (empty: anything), 2 how many to skip, 3 how many at most, 4 and 5 the place: name, and when it
-- was created or null; 6 the category, or null.
-- One row whose name is null: none on this page. Index: streams_name_key or streams_by_creation, in its order;
-- events_stream_id_version_key read backwards for the versions of the page.
WITH page AS MATERIALIZED (
    SELECT listed.*
    FROM (
        (SELECT stream_id, name, created_at, deleted_at, first_version, NULL::bigint AS head FROM {schema}.streams listed
            WHERE strpos(name, $1) > 0 AND {within} AND {behind}
            ORDER BY {order} LIMIT $2::bigint + $3::bigint)
        UNION ALL
        (SELECT * FROM (
            SELECT 0::bigint, '$all'::text COLLATE "C" AS name, created_at, NULL::timestamptz, 1::bigint, position
            FROM {schema}.log WHERE one
        ) listed
        WHERE strpos(name, $1) > 0 AND {within} AND {behind})
    ) listed
    ORDER BY {order} OFFSET $2 LIMIT $3
)
SELECT CASE WHEN $4::text IS NULL THEN
        (SELECT count(*) FROM {schema}.streams WHERE strpos(name, $1) > 0 AND {within})
            + (strpos('$all', $1) > 0 AND coalesce($6::text, '$all') = '$all')::int
    END AS total,
    listed.name, coalesce(v.version, listed.head) AS version, listed.first_version, listed.created_at, listed.deleted_at
FROM {schema}.log
LEFT JOIN page listed ON true
LEFT JOIN {schema}.versioned_streams v ON v.stream_id = listed.stream_id
WHERE log.one AND $5::timestamptz IS NOT DISTINCT FROM $5
ORDER BY {order}
