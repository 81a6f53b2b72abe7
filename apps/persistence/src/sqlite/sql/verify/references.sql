-- Purpose: finds events whose stream or kind is not known, or whose kind is of another category than their stream.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other.
-- Zero rows: the rule holds.
-- Index: primary keys of events and archived_events; those of streams and kinds, for every event.
SELECT 'position ' || e.position || ' belongs to stream ' || e.stream_id || ', which is not known'
FROM whole_log AS e WHERE e.position > ?2 AND e.position <= ?3
    AND NOT EXISTS (SELECT 1 FROM streams AS s WHERE s.stream_id = e.stream_id)
UNION ALL
SELECT 'position ' || e.position || ' is of kind ' || e.kind_id || ', which is not known'
FROM whole_log AS e WHERE e.position > ?2 AND e.position <= ?3
    AND NOT EXISTS (SELECT 1 FROM kinds AS k WHERE k.kind_id = e.kind_id)
UNION ALL
SELECT 'position ' || e.position || ' is of category ' || k.category || ' and in stream ' || s.name
FROM whole_log AS e
JOIN streams AS s ON s.stream_id = e.stream_id
JOIN kinds AS k ON k.kind_id = e.kind_id
WHERE e.position > ?2 AND e.position <= ?3
    AND k.category <> iif(instr(s.name, '-'), substr(s.name, 1, instr(s.name, '-') - 1), s.name)
LIMIT ?1
