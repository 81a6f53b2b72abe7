-- Purpose: finds snapshots of streams that are not there, of versions beyond their stream's, and those that nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: the unique one on streams.name, for every snapshot.
SELECT 'there is a snapshot of stream ' || t.stream || ' at version ' || t.version || ', and '
    || coalesce('the stream ends at ' || s.version, 'no such stream')
FROM snapshots AS t LEFT JOIN streams AS s ON s.name = t.stream
WHERE t.version > coalesce(s.version, -1)
UNION ALL
SELECT 'the snapshot of stream ' || stream || ' is no JSON' FROM snapshots WHERE json_valid(data) = 0
UNION ALL
SELECT 'the snapshot of stream ' || stream || ' is of version ' || version || ' and schema ' || schema
FROM snapshots WHERE version < 0 OR schema NOT BETWEEN 0 AND 4294967295
LIMIT ?1
