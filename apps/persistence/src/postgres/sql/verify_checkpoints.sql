-- Rule: a projection's checkpoint is not beyond the log's head, unless nobody uses what it is of any more.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at every checkpoint.
SELECT format('projection %s stands at position %s, the log ends at %s', c.projection, c.position, log.position) AS what
FROM {schema}.checkpoints c, {schema}.log WHERE c.position NOT BETWEEN 0 AND log.position AND c.phase IN ('serving', 'building')
LIMIT $1
