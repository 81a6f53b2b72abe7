-- Purpose: takes the mark from letters that are not the first of a key any more.
-- Parameters: ?1 subscription, ?2 partition, ?3 key.
-- Zero rows: always.
-- Index: primary key of subscriptions, letters_first, letters_by_key.
UPDATE letters SET head = 0
WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND partition = ?2 AND key = ?3 AND head = 1 AND place > (
    SELECT min(place) FROM letters WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND partition = ?2 AND key = ?3
)
