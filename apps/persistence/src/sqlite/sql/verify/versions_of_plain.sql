-- Purpose: finds streams without links that do not have every version of theirs.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: the unique ones on (stream_id, version) of events and archived_events, for every stream.
SELECT 'stream ' || name || ' has ' || present || ' events at versions ' || kept_from || ' to ' || version
FROM (
    SELECT name, kept_from, version,
        (SELECT count(*) FROM events AS e
         WHERE e.stream_id = s.stream_id AND e.version BETWEEN s.kept_from AND s.version)
        + (SELECT count(*) FROM archived_events AS e
           WHERE e.stream_id = s.stream_id AND e.version BETWEEN s.kept_from AND s.version) AS present
    FROM streams AS s
    WHERE plain
)
WHERE present <> version - kept_from + 1
LIMIT ?1
