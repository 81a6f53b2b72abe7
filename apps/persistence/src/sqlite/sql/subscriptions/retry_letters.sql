-- Purpose: asks for letters of a key, up to one of them, to be tried again, the oldest first.
-- Parameters: ?1 subscription, ?2 partition, ?3 key, ?4 the last place, ?5 how many at most.
-- Zero rows: always; as many rows change as were not asked for.
-- Index: primary keys of subscriptions and letters, letters_unasked_by_key.
UPDATE letters SET retry = 1
WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND place IN (
    SELECT place FROM letters
    WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND partition = ?2 AND key = ?3 AND place <= ?4 AND retry = 0
    ORDER BY place LIMIT ?5
)
