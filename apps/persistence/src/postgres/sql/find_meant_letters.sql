-- Which dead letters an act is about, by subscription and place.
-- Parameters, null restricts nothing: 1 subscription, 2 place, 3 key in words, 4 event name, 5 the place behind which they are,
--   6 the last place, 7 what the error contains, 8 whether they have failed; 9 whether somebody asked for them; 10 how many
--   at most.
-- A row for each; none: none is meant. Index: subscriptions_pkey, letters_pkey, letters_by_key_text, letters_by_event_name,
--   letters_failed, letters_asked, letters_unasked.
SELECT subscription, place FROM {schema}.meant_letters($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, $10)
