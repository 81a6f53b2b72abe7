-- Rule: what stands in a stream, its own events and its links, has the versions from 1 to the stream's, each once, but for
-- those that acts of upkeep removed; in a stream without links those are its beginning.
-- Parameters: 1 how many findings at most, 2 and 3 the places to look at, behind the one up to the other, each stream and version
-- as a list of JSON, 4 what was seen of the stream in which the step before ended, '{}' if there was none.
-- The first row has no finding, but what was seen of the stream in which this step ends, for the next one: only there it is
-- known whole. The others are findings; none: it holds. One that has lost something since its first step is left out.
-- Index: events_stream_id_version_key, archive_stream_id_version_key, links_pkey; streams_pkey.
WITH place AS MATERIALIZED (
    SELECT stream_id, version, false AS is_link FROM {schema}.all_events
    WHERE (stream_id, version) > (($2::text::json->>0)::bigint, ($2::text::json->>1)::bigint)
        AND (stream_id, version) <= (($3::text::json->>0)::bigint, ($3::text::json->>1)::bigint)
    UNION ALL
    SELECT stream_id, version, true FROM {schema}.links
    WHERE (stream_id, version) > (($2::text::json->>0)::bigint, ($2::text::json->>1)::bigint)
        AND (stream_id, version) <= (($3::text::json->>0)::bigint, ($3::text::json->>1)::bigint)
), seen AS MATERIALIZED (
    SELECT stream_id, sum(count)::bigint AS count, min(first) AS first, max(last) AS last, max(last_link) AS last_link,
        min(removed) AS removed
    FROM (
        SELECT stream_id, count(*) AS count, min(version) AS first, max(version) AS last,
            max(version) FILTER (WHERE is_link) AS last_link, NULL::bigint AS removed
        FROM place GROUP BY stream_id
        UNION ALL
        SELECT stream_id, 0, NULL, NULL, NULL, NULL FROM {schema}.streams
        WHERE stream_id > ($2::text::json->>0)::bigint AND stream_id <= ($3::text::json->>0)::bigint
        UNION ALL
        SELECT stream_id, count, first, last, last_link, removed
        FROM json_to_record($4::text::json) AS before (
            stream_id bigint, count bigint, first bigint, last bigint, last_link bigint, removed bigint
        )
        WHERE stream_id IS NOT NULL
    ) part
    GROUP BY stream_id
), held AS MATERIALIZED (
    SELECT s.*, seen.count, seen.first, seen.last_link,
        greatest(seen.last, CASE WHEN NOT s.plain THEN s.kept_version END, 0) AS version
    FROM seen JOIN {schema}.streams s ON s.stream_id = seen.stream_id
    WHERE seen.stream_id < ($3::text::json->>0)::bigint AND s.removed = coalesce(seen.removed, s.removed)
)
SELECT NULL AS what, coalesce((
    SELECT json_build_object('stream_id', seen.stream_id, 'count', seen.count, 'first', seen.first, 'last', seen.last,
        'last_link', seen.last_link, 'removed', coalesce(seen.removed, s.removed))
    FROM seen JOIN {schema}.streams s ON s.stream_id = seen.stream_id
    WHERE seen.stream_id = ($3::text::json->>0)::bigint
), '{}')::text AS seen
UNION ALL
SELECT what, NULL
FROM (
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
    FROM (SELECT stream_id, version, count(*) AS count FROM place GROUP BY stream_id, version HAVING count(*) > 1) twice
    JOIN {schema}.streams s USING (stream_id)
    LIMIT $1
) finding
