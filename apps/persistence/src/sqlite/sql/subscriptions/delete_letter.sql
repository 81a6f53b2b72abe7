-- Purpose: removes a letter.
-- Parameters: ?1 subscription, ?2 place, ?3 partition.
-- Zero rows: always; no row changes when it is gone.
-- Index: primary keys of subscriptions and letters.
DELETE FROM letters WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND place = ?2 AND partition = ?3
