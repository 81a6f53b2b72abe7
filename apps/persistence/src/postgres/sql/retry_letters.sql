-- Asks for dead letters to be tried again, with those before them under the same key.
-- Parameters, null restricts nothing: 1 subscription, 2 place, 3 key in words, 4 event name, 5 the place behind which they are,
--   6 the last place, 7 what the error contains, 8 whether they have failed; 9 how many at most, beside those before them.
-- Always one row: how many were not asked for before, or -1 when there is no such subscription, -2 no such letter.
-- Index: letters_pkey, letters_by_key_text, letters_by_event_name, letters_by_key.
SELECT {schema}.retry_letters($1, $2, $3, $4, $5, $6, $7, $8, $9) AS letters
