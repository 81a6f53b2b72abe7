-- Purpose: finds kept notices that nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every notice is looked at.
SELECT 'the notice ' || lower(hex(id)) || ' of topic ' || topic || ' has ' || CASE
    WHEN length(id) <> 16 THEN 'an id that is none'
    WHEN length(transaction_id) <> 16 THEN 'the id of a transaction that is none'
    ELSE 'data that is no JSON'
END
FROM notices WHERE length(id) <> 16 OR length(transaction_id) <> 16 OR json_valid(data) = 0
LIMIT ?1
