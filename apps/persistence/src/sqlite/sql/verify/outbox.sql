-- Purpose: finds entries of the outbox that nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every entry is looked at.
SELECT 'the outbox has under number ' || number || ' for ' || queue
    || iif(json_valid(body) = 0, ' what is no JSON', ' an id that is none')
FROM outbox WHERE json_valid(body) = 0 OR length(id) <> 16
LIMIT ?1
