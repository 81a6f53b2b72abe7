-- Purpose: the keys of a partition that have letters.
-- Parameters: ?1 subscription, ?2 partition.
-- Zero rows: it has none.
-- Index: primary key of subscriptions, letters_first.
SELECT key FROM letters WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND partition = ?2 AND head = 1
