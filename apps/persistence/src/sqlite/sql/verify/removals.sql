-- Purpose: finds that streams have lost more versions than the audit says were removed, and what is being removed. (Those that are gone have taken their
--   part along.)
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: the unique ones on (stream_id, version) for the audit; every stream is looked at.
WITH told AS (
    SELECT (SELECT coalesce(sum(events + links), 0) FROM removals) + coalesce(sum(iif(json_valid(e.data),
        iif(e.data ->> 'removal' = 'hard', (e.data ->> 'events') + (e.data ->> 'links'), 0), 0)), 0) AS removed
    FROM whole_log AS e
    WHERE e.stream_id = (SELECT stream_id FROM streams WHERE name = '$audit')
),
lost AS (SELECT coalesce(sum(removed), 0) AS removed FROM streams)
SELECT 'streams have lost ' || lost.removed || ' versions, and the audit tells of ' || told.removed
FROM lost, told WHERE lost.removed > told.removed
LIMIT ?1
