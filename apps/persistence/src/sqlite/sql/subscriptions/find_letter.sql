-- Purpose: where a letter is.
-- Parameters: ?1 subscription, ?2 place.
-- Zero rows: there is none.
-- Index: primary keys of subscriptions and letters.
SELECT partition, key FROM letters WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND place = ?2
