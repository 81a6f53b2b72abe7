-- Purpose: finds what streams without links lack in their middle, and so where positions are missing that were not removed.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other.
-- Zero rows: each event stands behind the one before it in its stream, or is the first that was kept.
-- Index: primary keys of events, archived_events and streams; the unique ones on (stream_id, version) for every event.
SELECT 'stream ' || s.name || ' lacks its version ' || (e.version - 1) || ', which was between positions ' || coalesce((
    SELECT max(b.position) FROM whole_log AS b WHERE b.stream_id = e.stream_id AND b.version < e.version
), 0) || ' and ' || e.position
FROM whole_log AS e JOIN streams AS s ON s.stream_id = e.stream_id
WHERE e.position > ?2 AND e.position <= ?3 AND s.plain AND e.version > s.kept_from
    AND NOT EXISTS (SELECT 1 FROM events AS b WHERE b.stream_id = e.stream_id AND b.version = e.version - 1)
    AND NOT EXISTS (SELECT 1 FROM archived_events AS b WHERE b.stream_id = e.stream_id AND b.version = e.version - 1)
LIMIT ?1
