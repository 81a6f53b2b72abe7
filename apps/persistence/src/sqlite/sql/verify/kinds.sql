-- Purpose: finds kinds without a type, or with a schema below the first.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every kind is looked at.
SELECT 'kind ' || kind_id || ' of category ' || category || ' has type "' || type || '" and schema ' || schema
FROM kinds WHERE type = '' OR schema < 1
LIMIT ?1
