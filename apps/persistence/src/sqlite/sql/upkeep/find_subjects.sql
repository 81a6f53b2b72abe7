-- Purpose: whose personal data events of a stream can hold, its own (archived or not) and linked ones.
-- Parameters: ?1 the stream's name, ?2 only behind this version, ?3 up to this one.
-- Zero rows: nobody's.
-- Index: the unique one on streams.name, those on (stream_id, version) of events and archived_events, the primary key of links;
--   linked events by position.
SELECT subject FROM streams CROSS JOIN events USING (stream_id)
WHERE name = ?1 AND events.version > ?2 AND events.version <= ?3 AND subject IS NOT NULL
UNION
SELECT subject FROM streams CROSS JOIN archived_events USING (stream_id)
WHERE name = ?1 AND archived_events.version > ?2 AND archived_events.version <= ?3 AND subject IS NOT NULL
UNION
SELECT subject FROM streams CROSS JOIN links USING (stream_id) CROSS JOIN events USING (position)
WHERE name = ?1 AND links.version > ?2 AND links.version <= ?3 AND subject IS NOT NULL
UNION
SELECT subject FROM streams CROSS JOIN links USING (stream_id) CROSS JOIN archived_events USING (position)
WHERE name = ?1 AND links.version > ?2 AND links.version <= ?3 AND subject IS NOT NULL
