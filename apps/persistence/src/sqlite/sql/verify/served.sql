-- Purpose: finds collections whose readers get what is of no generation that serves.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every collection with a row is looked at.
SELECT 'readers of ' || s.collection || ' get what is kept under ' || s.collection || s.suffix || ', which no generation of '
    || s.name || ' that serves keeps'
FROM served AS s
WHERE NOT EXISTS (
    SELECT 1 FROM checkpoints AS c
    WHERE c.name = s.name AND c.phase = 'serving' AND c.suffix = s.suffix
        AND s.collection IN (SELECT value FROM json_each(iif(json_valid(c.collections), c.collections, '[]')))
)
LIMIT ?1
