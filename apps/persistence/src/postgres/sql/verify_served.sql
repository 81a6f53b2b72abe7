-- Rule: readers of a collection get the documents of a generation that serves.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at every collection with a row;
-- checkpoints_serving for each.
SELECT format('readers of %s get what is kept under %s%s, which no generation of %s that serves keeps',
    s.collection, s.collection, s.suffix, s.name) AS what
FROM {schema}.served s
WHERE NOT EXISTS (
    SELECT FROM {schema}.checkpoints c
    WHERE c.name = s.name AND c.phase = 'serving' AND c.suffix = s.suffix AND s.collection = ANY (c.collections)
)
LIMIT $1
