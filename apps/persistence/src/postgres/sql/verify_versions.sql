-- Rule: what stands in a stream, its own events and its links, has the versions from 1 to the stream's, each once, but for
-- those that acts of upkeep removed; in a stream without links those are its beginning.
-- Parameters: 1 how many findings at most, 2 and 3 the stream ids to look at, behind the one up to the other. No row: it
-- holds. Index: streams_pkey, events_stream_id_version_key, archive_stream_id_version_key, links_pkey.
WITH own AS (
    SELECT stream_id, count(*) AS count, min(version) AS first, max(version) AS last FROM {schema}.all_events
    WHERE stream_id > $2::text::bigint AND stream_id <= $3::text::bigint GROUP BY stream_id
), linked AS (
    SELECT stream_id, count(*) AS count, min(version) AS first, max(version) AS last FROM {schema}.links
    WHERE stream_id > $2::text::bigint AND stream_id <= $3::text::bigint GROUP BY stream_id
), held AS MATERIALIZED (
    SELECT s.*, coalesce(own.count, 0) + coalesce(linked.count, 0) AS count, least(own.first, linked.first) AS first,
        linked.last AS last_link,
        greatest(own.last, linked.last, CASE WHEN NOT s.plain THEN s.kept_version END, 0) AS version
    FROM {schema}.streams s
    LEFT JOIN own USING (stream_id)
    LEFT JOIN linked USING (stream_id)
    WHERE s.stream_id > $2::text::bigint AND s.stream_id <= $3::text::bigint
)
SELECT format('stream %s is at version %s, of which %s were removed and %s are there', name, version, removed, count) AS what
FROM held WHERE count <> version - removed
UNION ALL
SELECT format('stream %s begins at version %s, and %s were removed', name, first, removed)
FROM held WHERE first < 1 OR (plain AND first <> removed + 1)
UNION ALL
SELECT format('stream %s is shown from version %s, and ends at %s', name, first_version, version)
FROM held WHERE first_version NOT BETWEEN 1 AND version + 1
UNION ALL
SELECT format('stream %s holds links and is not marked so', name)
FROM held WHERE plain AND last_link IS NOT NULL
UNION ALL
SELECT format('stream %s has a link at version %s, and keeps version %s', name, last_link, kept_version)
FROM held WHERE NOT plain AND last_link > kept_version
UNION ALL
SELECT format('stream %s began at %s', name, created_at)
FROM held WHERE NOT isfinite(created_at) OR NOT isfinite(coalesce(deleted_at, created_at))
UNION ALL
SELECT format('stream %s: version %s is there %s times', s.name, twice.version, twice.count)
FROM (
    SELECT stream_id, version, count(*) AS count
    FROM (
        SELECT stream_id, version FROM {schema}.all_events
        WHERE stream_id > $2::text::bigint AND stream_id <= $3::text::bigint
        UNION ALL
        SELECT stream_id, version FROM {schema}.links
        WHERE stream_id > $2::text::bigint AND stream_id <= $3::text::bigint
    ) place
    GROUP BY stream_id, version HAVING count(*) > 1
) twice
JOIN {schema}.streams s USING (stream_id)
LIMIT $1
