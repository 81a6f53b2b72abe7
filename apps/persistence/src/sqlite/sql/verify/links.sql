-- Purpose: finds links in streams that are not known or should have none, to nothing, and to events of the same stream.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary keys of streams, events and archived_events, for every link.
SELECT 'stream ' || l.stream_id || ' is not known, and has a link at version ' || l.version
FROM links AS l WHERE NOT EXISTS (SELECT 1 FROM streams AS s WHERE s.stream_id = l.stream_id)
UNION ALL
SELECT 'stream ' || s.name || ' should have no links, and has one at version ' || l.version
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id WHERE s.plain
UNION ALL
SELECT 'the link at version ' || l.version || ' of stream ' || s.name || ' points to nothing at position ' || l.position
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id
WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.position = l.position)
    AND NOT EXISTS (SELECT 1 FROM archived_events AS e WHERE e.position = l.position)
UNION ALL
SELECT 'the link at version ' || l.version || ' of stream ' || s.name || ' points to the stream itself'
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id
WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.position = l.position AND e.stream_id = l.stream_id)
    OR EXISTS (SELECT 1 FROM archived_events AS e WHERE e.position = l.position AND e.stream_id = l.stream_id)
LIMIT ?1
