-- Purpose: takes back that a letter was asked for.
-- Parameters: ?1 subscription, ?2 place.
-- Zero rows: always; no row changes when it is gone, or nobody asked for it.
-- Index: primary keys of subscriptions and letters.
UPDATE letters SET retry = 0
WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND place = ?2 AND retry = 1
