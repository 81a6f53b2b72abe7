-- A page of one stream, its own events (archived or not) merged with its links by version, with what there is to know
-- of the stream, all of one snapshot.
-- {sorted} is the direction (empty or DESC). The first row tells what there is to know of the stream, the others are the events.
-- Parameters: 1 name, 2 the lowest version wanted, 3 the highest, 4 how many at most.
-- No row: nothing was ever appended. One row: no event there.
-- Index: streams_name_key, events_stream_id_version_key, archive_stream_id_version_key, links_pkey; linked events by
-- events_pkey, archive_pkey.
WITH stream AS MATERIALIZED (
    SELECT * FROM {schema}.versioned_streams WHERE name = $1
)
SELECT s.deleted_at IS NOT NULL AS deleted, s.plain, s.first_version, s.version AS stream_version, log.archived_to,
    {no_event}, NULL::bigint AS linked_at
FROM stream s JOIN {schema}.log ON log.one
UNION ALL (
    SELECT NULL, NULL, NULL, NULL, NULL, {columns}, e.linked_at
    FROM (
        (
            SELECT version AS place, NULL::bigint AS linked_at, own.* FROM {schema}.all_events own
            WHERE stream_id = (SELECT stream_id FROM stream)
                AND version BETWEEN greatest($2, (SELECT first_version FROM stream)) AND $3
            ORDER BY version {sorted} LIMIT $4
        )
        UNION ALL
        SELECT link.version, link.version, linked.*
        FROM (
            SELECT version, position FROM {schema}.links
            WHERE stream_id = (SELECT stream_id FROM stream)
                AND version BETWEEN greatest($2, (SELECT first_version FROM stream)) AND $3
            ORDER BY version {sorted} LIMIT $4
        ) link
        JOIN {schema}.all_events linked ON linked.position = link.position
    ) e
    ORDER BY e.place {sorted} LIMIT $4
)
