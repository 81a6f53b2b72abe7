-- A page of the list of streams by when they were deleted, with those that live behind all of these, by name; the log of all streams
-- among them. The first page with how many match at all, of one snapshot.
-- {deleted} and {living} say what of either comes behind the place where it goes on; {sorted} is the direction (empty or DESC).
-- Parameters: 1 what the name contains (empty: anything), 2 how many to skip, 3 how many at most, 4 and 5 the place: name, and when it
-- was deleted or null; 6 the category, to which {within} restricts the names, or null. Without a name it begins, and all that match are counted.
-- One row whose name is null: none on this page. Index: streams_by_deletion, and for the living streams_name_key, in their order;
-- events_stream_id_version_key read backwards for the versions of the page.
WITH page AS MATERIALIZED (
    SELECT listed.*
    FROM (
        (SELECT stream_id, name, created_at, deleted_at, first_version, NULL::bigint AS head FROM {schema}.streams
            WHERE deleted_at IS NOT NULL AND strpos(name, $1) > 0 AND {within} AND {deleted}
            ORDER BY deleted_at {sorted}, name {sorted} LIMIT $2::bigint + $3::bigint)
        UNION ALL
        (SELECT stream_id, name, created_at, deleted_at, first_version, NULL::bigint AS head FROM {schema}.streams
            WHERE deleted_at IS NULL AND strpos(name, $1) > 0 AND {within} AND {living}
            ORDER BY name {sorted} LIMIT $2::bigint + $3::bigint)
        UNION ALL
        (SELECT * FROM (
            SELECT 0::bigint, '$all'::text COLLATE "C" AS name, created_at, NULL::timestamptz, 1::bigint, position
            FROM {schema}.log WHERE one
        ) log
        WHERE strpos(name, $1) > 0 AND {within} AND {living})
    ) listed
    ORDER BY deleted_at {sorted}, name {sorted} OFFSET $2 LIMIT $3
)
SELECT CASE WHEN $4::text IS NULL THEN
        (SELECT count(*) FROM {schema}.streams WHERE strpos(name, $1) > 0 AND {within})
            + (strpos('$all', $1) > 0 AND coalesce($6::text, '$all') = '$all')::int
    END AS total,
    page.name, coalesce(v.version, page.head) AS version, page.first_version, page.created_at, page.deleted_at
FROM {schema}.log
LEFT JOIN page ON true
LEFT JOIN {schema}.versioned_streams v ON v.stream_id = page.stream_id
WHERE log.one AND $5::timestamptz IS NOT DISTINCT FROM $5
ORDER BY page.deleted_at {sorted}, page.name {sorted}
