-- Purpose: finds streams whose events and links are not all of their versions but those that acts of upkeep removed, and
--   versions that are beyond their stream, removed from it, or given twice.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the ids of streams to look at, behind the one up to the other.
-- Zero rows: the rule holds.
-- Index: the unique ones on (stream_id, version) of events and archived_events, and the primary key of links, for every
--   stream.
SELECT 'stream ' || name || ' is at version ' || version || ', of which ' || removed || ' were removed and ' || present
    || ' are there'
FROM (
    SELECT name, version, removed,
        (SELECT count(*) FROM events AS e WHERE e.stream_id = s.stream_id)
        + (SELECT count(*) FROM archived_events AS e WHERE e.stream_id = s.stream_id)
        + (SELECT count(*) FROM links AS l WHERE l.stream_id = s.stream_id) AS present
    FROM streams AS s WHERE s.stream_id > ?2 AND s.stream_id <= ?3
)
WHERE present <> version - removed
UNION ALL
SELECT 'stream ' || name || ' ends at version ' || version || ', is shown from ' || first_version || ' and kept from '
    || kept_from
FROM streams AS s WHERE s.stream_id > ?2 AND s.stream_id <= ?3
    AND NOT (1 <= kept_from AND kept_from <= first_version AND first_version <= version + 1)
UNION ALL
SELECT 'stream ' || name || ' has no links, is kept from version ' || kept_from || ', and ' || removed || ' were removed'
FROM streams AS s WHERE s.stream_id > ?2 AND s.stream_id <= ?3 AND plain AND removed <> kept_from - 1
UNION ALL
SELECT 'stream ' || s.name || ', of versions ' || s.kept_from || ' to ' || s.version || ', has an event at ' || e.version
FROM whole_log AS e JOIN streams AS s ON s.stream_id = e.stream_id
WHERE s.stream_id > ?2 AND s.stream_id <= ?3 AND e.version NOT BETWEEN s.kept_from AND s.version
UNION ALL
SELECT 'stream ' || s.name || ', of versions ' || s.kept_from || ' to ' || s.version || ', has a link at ' || l.version
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id
WHERE s.stream_id > ?2 AND s.stream_id <= ?3 AND l.version NOT BETWEEN s.kept_from AND s.version
UNION ALL
SELECT 'stream ' || s.name || ' has both an event and a link at version ' || l.version
FROM links AS l JOIN streams AS s ON s.stream_id = l.stream_id
WHERE s.stream_id > ?2 AND s.stream_id <= ?3 AND (
    EXISTS (SELECT 1 FROM events AS e WHERE e.stream_id = l.stream_id AND e.version = l.version)
    OR EXISTS (SELECT 1 FROM archived_events AS e WHERE e.stream_id = l.stream_id AND e.version = l.version)
)
UNION ALL
SELECT 'stream ' || s.name || ' has two events at version ' || e.version
FROM archived_events AS a
JOIN events AS e ON e.stream_id = a.stream_id AND e.version = a.version
JOIN streams AS s ON s.stream_id = e.stream_id
WHERE s.stream_id > ?2 AND s.stream_id <= ?3
LIMIT ?1
