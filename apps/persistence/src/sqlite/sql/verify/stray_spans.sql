-- Purpose: finds spans that the log has not passed.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every span is looked at.
SELECT 'there is a span from position ' || first_position || ', and the log ends at ' || head
FROM spans, log
WHERE first_position < 1 OR (first_position - 1) % 4096 <> 0 OR first_position + 4095 > head
LIMIT ?1
