-- Purpose: letters that are due, by place.
-- Parameters: ?1 subscription, ?2 partitions as a JSON list, ?3 how many at most.
-- Zero rows: nothing is due.
-- Index: primary key of subscriptions, letters_due.
SELECT ?1, l.partition, l.place, l.key, l.key_text, l.event_id, l.position, l.event_name, l.error, l.attempts,
    l.first_failed_at, l.last_failed_at, l.parked_at, l.retry, l.edited, l.replay
FROM letters l
WHERE l.box = (SELECT box FROM subscriptions WHERE name = ?1) AND l.partition IN (SELECT value FROM json_each(?2))
    AND l.head = 1 AND (l.retry = 1 OR l.error IS NULL)
ORDER BY l.place LIMIT ?3
