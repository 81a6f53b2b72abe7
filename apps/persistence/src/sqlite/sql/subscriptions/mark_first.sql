-- Purpose: marks the first letter of a key.
-- Parameters: ?1 subscription, ?2 partition, ?3 key.
-- Zero rows: always.
-- Index: primary keys of subscriptions and letters, letters_by_key.
UPDATE letters SET head = 1
WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND head = 0 AND place = (
    SELECT min(place) FROM letters WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND partition = ?2 AND key = ?3
)
