-- A page of one stream, its own events (archived or not) merged with its links by version, with what there is to know
-- of the stream, all of one snapshot.
-- {sorted} is the direction (empty or DESC).
-- Parameters: 1 name, 2 the lowest version wanted, 3 the highest, 4 how many at most.
-- No row: nothing was ever appended. One row whose position is null: no event there.
-- Index: streams_name_key, events_stream_id_version_key, archive_stream_id_version_key, links_pkey; linked events by
-- events_pkey, archive_pkey.
WITH stream AS MATERIALIZED (
    SELECT * FROM {schema}.versioned_streams WHERE name = $1
)
SELECT s.deleted_at IS NOT NULL AS deleted, s.plain, s.first_version, s.version AS stream_version, log.archived_to,
    {columns}, e.linked_at
FROM stream s
JOIN {schema}.log ON log.one
LEFT JOIN LATERAL (
    SELECT * FROM (
        (
            SELECT version AS place, NULL::bigint AS linked_at, own.* FROM {schema}.all_events own
            WHERE stream_id = s.stream_id AND version BETWEEN greatest($2, s.first_version) AND $3
            ORDER BY version {sorted} LIMIT $4
        )
        UNION ALL
        SELECT link.version, link.version, linked.*
        FROM (
            SELECT version, position FROM {schema}.links
            WHERE stream_id = s.stream_id AND version BETWEEN greatest($2, s.first_version) AND $3
            ORDER BY version {sorted} LIMIT $4
        ) link
        JOIN {schema}.all_events linked ON linked.position = link.position
    ) merged
    ORDER BY place {sorted} LIMIT $4
) e ON true
ORDER BY e.place {sorted}
