-- Purpose: finds positions that are beyond the head, and, when more or fewer are missing than acts of upkeep removed, through
--   or not, the first gaps.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary keys of events and archived_events; all of the log is looked at.
WITH counted AS MATERIALIZED (
    SELECT head,
        head - (SELECT count(*) FROM events WHERE position BETWEEN 1 AND head)
             - (SELECT count(*) FROM archived_events WHERE position BETWEEN 1 AND head) AS missing,
        (SELECT coalesce(sum(events), 0) FROM removals)
        + (SELECT coalesce(sum(iif(json_valid(e.data), iif(e.data ->> 'removal' = 'hard', e.data ->> 'events', 0), 0)), 0)
         FROM whole_log AS e
         WHERE e.stream_id = (SELECT stream_id FROM streams WHERE name = '$audit')) AS removed
    FROM log
),
starts AS (SELECT 0 AS position UNION ALL SELECT position FROM whole_log)
SELECT 'position ' || position || ' is not between 1 and the head, ' || (SELECT head FROM log)
FROM whole_log WHERE position < 1 OR position > (SELECT head FROM log)
UNION ALL
SELECT 'up to the head, ' || head || ', ' || missing || ' positions are missing, and acts of upkeep removed ' || removed
FROM counted WHERE missing <> removed
UNION ALL
SELECT 'nothing is at positions ' || (p.position + 1) || ' to ' || (min(
    coalesce((SELECT min(position) FROM events WHERE position > p.position), (SELECT head + 1 FROM log)),
    coalesce((SELECT min(position) FROM archived_events WHERE position > p.position), (SELECT head + 1 FROM log))
) - 1)
FROM starts AS p
WHERE (SELECT missing <> removed FROM counted) AND p.position < (SELECT head FROM log)
    AND NOT EXISTS (SELECT 1 FROM events WHERE position = p.position + 1)
    AND NOT EXISTS (SELECT 1 FROM archived_events WHERE position = p.position + 1)
LIMIT ?1
