-- Purpose: keeps a dead letter, unless it is there.
-- Parameters: ?1 subscription, ?2 place, ?3 partition, ?4 key, ?5 key in words, ?6 event id, ?7 position, ?8 event name, ?9 now, and,
--   null when nothing is wrong with it, ?10 error, ?11 attempts, ?12 when it failed first, ?13 last.
-- Zero rows: always; no row changes when it is there.
-- Index: primary keys of letters, subscriptions and subscription_partitions, and the others of letters.
INSERT INTO letters (box, place, partition, key, key_text, event_id, position, event_name, parked_at,
    error, attempts, first_failed_at, last_failed_at, replay)
VALUES ((SELECT box FROM subscriptions WHERE name = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
    (SELECT ?2 <= handled FROM subscription_partitions WHERE subscription = ?1 AND partition = ?3))
ON CONFLICT (box, place) DO NOTHING
