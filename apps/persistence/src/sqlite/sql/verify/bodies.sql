-- Purpose: finds documents that nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every document is looked at.
SELECT 'document ' || key || ' of ' || collection || ' is no JSON' FROM documents WHERE json_valid(body) = 0
LIMIT ?1
