-- Purpose: finds entries of the outbox that nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every entry is looked at.
SELECT 'the outbox has under number ' || number || ' for ' || queue || ' what is no JSON'
FROM outbox WHERE json_valid(body) = 0
LIMIT ?1
