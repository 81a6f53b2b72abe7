-- The keys of a partition that have dead letters.
-- Parameters: 1 subscription, 2 partition.
-- A row for each key; none: it has no letters. Index: subscriptions_pkey, letters_first.
SELECT key FROM {schema}.letters
WHERE box = (SELECT box FROM {schema}.subscriptions WHERE name = $1) AND partition = $2 AND head
