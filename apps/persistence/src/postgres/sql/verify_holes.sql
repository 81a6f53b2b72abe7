-- What streams without links lack in their middle, and so where positions are missing that were not removed.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other. No row: each event stands
-- behind the one before it in its stream, or is the first that was kept. Index: events_pkey, archive_pkey, streams_pkey;
-- events_stream_id_version_key and archive_stream_id_version_key for every event.
SELECT format('stream %s lacks its version %s, which was between positions %s and %s', s.name, e.version - 1, coalesce((
    SELECT max(b.position) FROM {schema}.all_events b WHERE b.stream_id = e.stream_id AND b.version < e.version
), 0), e.position) AS what
FROM {schema}.all_events e JOIN {schema}.streams s ON s.stream_id = e.stream_id
WHERE e.position > $2::text::bigint AND e.position <= $3::text::bigint AND s.plain AND e.version > s.removed + 1
    AND NOT EXISTS (SELECT FROM {schema}.all_events b WHERE b.stream_id = e.stream_id AND b.version = e.version - 1)
LIMIT $1
