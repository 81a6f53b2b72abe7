-- Purpose: finds filters of conversations of spans that there are not.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary key of spans, for every filter.
SELECT 'there is a filter of conversations from position ' || c.first_position || ', where no span begins'
FROM span_conversations AS c
WHERE NOT EXISTS (SELECT 1 FROM spans AS s WHERE s.first_position = c.first_position)
LIMIT ?1
