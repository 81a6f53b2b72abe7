-- Purpose: finds projections that are beyond the head.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every checkpoint is looked at.
SELECT 'projection ' || projection || ' stands at ' || position || ', beyond the head, ' || (SELECT head FROM log)
FROM checkpoints WHERE position > (SELECT head FROM log)
LIMIT ?1
