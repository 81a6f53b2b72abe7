-- Purpose: finds versions that are beyond their stream, removed from it, or given twice.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: the unique ones on (stream_id, version) of events and archived_events, for every stream.
SELECT 'stream ' || s.name || ', of versions ' || s.kept_from || ' to ' || s.version || ', has an event at ' || e.version
FROM whole_log AS e JOIN streams AS s ON s.stream_id = e.stream_id
WHERE e.version NOT BETWEEN s.kept_from AND s.version
UNION ALL
SELECT 'stream ' || s.name || ', of versions ' || s.kept_from || ' to ' || s.version || ', has a link at ' || l.version
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id
WHERE l.version NOT BETWEEN s.kept_from AND s.version
UNION ALL
SELECT 'stream ' || s.name || ' has both an event and a link at version ' || l.version
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id
WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.stream_id = l.stream_id AND e.version = l.version)
    OR EXISTS (SELECT 1 FROM archived_events AS e WHERE e.stream_id = l.stream_id AND e.version = l.version)
LIMIT ?1
