-- A page of dead letters by subscription and place.
-- Parameters, null restricts nothing: 1 subscription, 2 place, 3 key in words, 4 event name, 5 the place behind which they are,
--   6 the last place, 7 what the error contains, 8 whether they have failed, 9 whether somebody asked for them, 10 and 11 subscription and
--   place of the letter behind which the page begins; 12 how many at most.
-- A row for each; none: none is on the page. Index: subscriptions_pkey, letters_pkey, letters_by_key_text, letters_by_event_name,
--   letters_asked, letters_unasked, letters_failed.
SELECT meant.subscription, l.partition, l.place, l.key, l.key_text, l.event_id, l.position, l.event_name, l.error, l.attempts,
    l.first_failed_at, l.last_failed_at, l.parked_at, l.retry, l.replay, l.edited
FROM {schema}.meant_letters($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) meant
JOIN {schema}.letters l ON l.box = meant.box AND l.place = meant.place
ORDER BY meant.subscription, l.place
