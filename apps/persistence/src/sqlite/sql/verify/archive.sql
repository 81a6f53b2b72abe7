-- Purpose: finds an archive that ends beyond the log, and events on the wrong side of its end.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary keys of events and archived_events.
SELECT 'the archive ends at ' || archived_to || ', beyond the head, ' || head
FROM log WHERE archived_to > head
UNION ALL
SELECT 'position ' || position || ' is not in the archive, which ends at ' || (SELECT archived_to FROM log)
FROM events WHERE position <= (SELECT archived_to FROM log)
UNION ALL
SELECT 'position ' || position || ' is in the archive, which ends at ' || (SELECT archived_to FROM log)
FROM archived_events WHERE position > (SELECT archived_to FROM log)
LIMIT ?1
