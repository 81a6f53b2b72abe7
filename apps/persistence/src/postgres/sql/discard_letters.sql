-- Removes dead letters.
-- Parameters: 1 subscription and 2 place that must be there, null is any; 3 what the error must still contain and 4 whether they must
--   have failed, null is either; then for each letter that is meant 5 subscription, 6 place.
-- Always one row: how many, or -1 when there is no such subscription, -2 no such letter.
-- Index: letters_pkey, letters_by_key.
SELECT {schema}.discard_letters($1, $2, $3, $4, $5, $6) AS letters
