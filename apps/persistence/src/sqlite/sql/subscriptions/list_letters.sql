-- Purpose: letters by subscription and place. {index} and {meant} are put in.
-- Parameters: those of the conditions, {limit} how many at most.
-- Zero rows: none is meant.
-- Index: of each subscription's letters the one that leads to what is meant: primary key of letters, letters_by_key_text,
--   letters_by_event_name, letters_asked, letters_unasked or letters_failed.
SELECT s.name, l.partition, l.place, l.key, l.key_text, l.event_id, l.position, l.event_name, l.error, l.attempts,
    l.first_failed_at, l.last_failed_at, l.parked_at, l.retry, l.edited, l.replay
FROM subscriptions s CROSS JOIN letters l INDEXED BY {index} ON l.box = s.box
WHERE true
    {meant}
ORDER BY s.name, l.place LIMIT {limit}
