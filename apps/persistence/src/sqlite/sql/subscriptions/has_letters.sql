-- Purpose: whether a key has letters.
-- Parameters: ?1 subscription, ?2 partition, ?3 key.
-- Zero rows: never.
-- Index: primary key of subscriptions, letters_by_key.
SELECT EXISTS (SELECT 1 FROM letters WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND partition = ?2 AND key = ?3)
