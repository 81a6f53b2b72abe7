-- Purpose: whether a key has letters.
-- Parameters: ?1 subscription, ?2 partition, ?3 key.
-- Zero rows: never.
-- Index: letters_by_key.
SELECT EXISTS (SELECT 1 FROM letters WHERE subscription = ?1 AND partition = ?2 AND key = ?3)
