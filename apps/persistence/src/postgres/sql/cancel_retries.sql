-- Takes back that dead letters were asked for.
-- Parameters: 1 subscription and 2 place that must be there, null is any; then for each letter that is meant 3 subscription, 4 place.
-- Always one row: how many, or -1 when there is no such subscription, -2 no such letter.
-- Index: letters_pkey.
SELECT {schema}.cancel_retries($1, $2, $3, $4) AS letters
