-- Records what became of dead letters.
-- Parameters: 1 subscription, then for each letter 2 partition, 3 epoch of its lease, 4 place, 5 key, 6 whether it is done, and if
--   not 7 error, 8 attempts, 9 when it failed first, 10 last.
-- A row with a key for each that has no letters any more, and one without for each partition that was refused.
-- Index: letters_pkey, letters_by_key, letters_first.
SELECT partition, key FROM {schema}.settle_letters($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
