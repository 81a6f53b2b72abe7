-- Whose personal data events of a stream can hold, its own (archived or not) and linked ones.
-- Parameters: 1 the stream's name, 2 only behind this version, 3 up to this one. No row: nobody's.
-- Index: streams_name_key, events_stream_id_version_key, archive_stream_id_version_key, links_pkey; linked events by
-- events_pkey, archive_pkey.
SELECT own.subject FROM {schema}.streams s
JOIN {schema}.all_events own ON own.stream_id = s.stream_id AND own.version > $2 AND own.version <= $3
WHERE s.name = $1 AND own.subject IS NOT NULL
UNION
SELECT linked.subject FROM {schema}.streams s
JOIN {schema}.links l ON l.stream_id = s.stream_id AND l.version > $2 AND l.version <= $3
JOIN {schema}.all_events linked ON linked.position = l.position
WHERE s.name = $1 AND linked.subject IS NOT NULL
