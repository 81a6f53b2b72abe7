-- Asks for dead letters to be tried again, with those before them under the same key.
-- Parameters: 1 subscription and 2 place that must be there, null is any; then for each letter that is meant, in their order,
--   3 subscription, 4 place; 5 how many at most, those before them included.
-- Always one row: how many were not asked for before, or -1 when there is no such subscription, -2 no such letter.
-- Index: letters_pkey, letters_unasked_by_key.
SELECT {schema}.retry_letters($1, $2, $3, $4, $5) AS letters
