-- Where these events stand, and whether a stream holds them already, as its own or linked. Those that are being removed cannot be linked
-- any more.
-- Parameters: 1 event ids, 2 the stream's name, which may be that of none. An event without a row is not in the log, or about to
-- leave it.
-- Index: events_event_id_key, archive_event_id_key, streams_name_key, links_stream_id_position_key, removals_pkey.
SELECT e.event_id, e.position,
    coalesce(e.stream_id = s.stream_id
        OR EXISTS (SELECT FROM {schema}.links l WHERE l.stream_id = s.stream_id AND l.position = e.position),
        false) AS held
FROM {schema}.all_events e LEFT JOIN {schema}.streams s ON s.name = $2
WHERE e.event_id = ANY ($1)
    AND NOT EXISTS (SELECT FROM {schema}.removals r WHERE r.stream_id = e.stream_id AND e.version < r.before_version)
