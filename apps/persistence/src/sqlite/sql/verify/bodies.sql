-- Purpose: finds documents, and indexes noted for a collection, that nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every document and every collection with a row is looked at.
SELECT 'document ' || key || ' of ' || collection || ' is no JSON' FROM documents WHERE json_valid(body) = 0
UNION ALL
SELECT 'collection ' || collection || ' is found by indexes that are no JSON list' FROM served
WHERE iif(json_valid(indexes), json_type(indexes) <> 'array', true)
LIMIT ?1
