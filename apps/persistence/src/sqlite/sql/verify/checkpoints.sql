-- Purpose: finds projections that are beyond the head or before the beginning, and what is noted with them and nobody can
--   read or is less than nothing.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every checkpoint is looked at.
SELECT 'projection ' || projection || ' stands at ' || position || ', beyond the head, ' || (SELECT head FROM log)
FROM checkpoints WHERE position > (SELECT head FROM log) AND phase IN ('serving', 'building')
UNION ALL
SELECT 'projection ' || projection || ' stands at ' || position || ', before the beginning of the log'
FROM checkpoints WHERE position < 0 AND phase IN ('serving', 'building')
UNION ALL
SELECT 'projection ' || c.projection || ' has ' || j.key || ' that are no JSON list'
FROM checkpoints AS c, json_each(json_object('collections', c.collections, 'indexes', c.indexes, 'inline events', c.inline)) AS j
WHERE iif(json_valid(j.value), json_type(j.value) <> 'array', true)
UNION ALL
SELECT 'projection ' || projection || ' is of version ' || version || ' and run ' || run || ', live after ' || live_after
FROM checkpoints
WHERE version NOT BETWEEN 0 AND 4294967295 OR run NOT BETWEEN 0 AND 4294967295 OR live_after < 0
LIMIT ?1
