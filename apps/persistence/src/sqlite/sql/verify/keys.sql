-- Purpose: finds keys of subjects that have not 256 bits.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every key is looked at.
SELECT 'the key of ' || subject || ' has ' || length(key) || ' bytes instead of 32'
FROM subject_keys WHERE length(key) <> 32
LIMIT ?1
