-- The keys of a partition that have dead letters.
-- Parameters: 1 subscription, 2 partition.
-- A row for each key; none: it has no letters. Index: letters_first.
SELECT key FROM {schema}.letters WHERE subscription = $1 AND partition = $2 AND head
