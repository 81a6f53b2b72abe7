-- Keeps dead letters, each once.
-- Parameters: 1 subscription, then for each letter 2 partition, 3 epoch of its lease, 4 place, 5 key, 6 key in words, 7 event id,
--   8 position, 9 event name, and, null when nothing is wrong with it, 10 error, 11 attempts, 12 when it failed first, 13 last.
-- A row for each partition that was refused. Index: letters_pkey, letters_by_key, letters_first.
SELECT partition FROM {schema}.park_letters($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
