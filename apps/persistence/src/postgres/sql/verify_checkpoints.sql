-- Rule: a projection's checkpoint is not beyond the log's head, unless nobody uses what it is of any more, and what
-- is counted with it is not less than nothing.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at every checkpoint.
SELECT format('projection %s stands at position %s, the log ends at %s', c.projection, c.position, log.position) AS what
FROM {schema}.checkpoints c, {schema}.log WHERE c.position NOT BETWEEN 0 AND log.position AND c.phase IN ('serving', 'building')
UNION ALL
SELECT format('projection %s is of version %s and run %s, live after %s', projection, version, run, live_after)
FROM {schema}.checkpoints
WHERE version NOT BETWEEN 0 AND 4294967295 OR run NOT BETWEEN 0 AND 4294967295 OR live_after < 0
LIMIT $1
