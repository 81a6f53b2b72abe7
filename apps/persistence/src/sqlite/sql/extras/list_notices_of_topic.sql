-- Purpose: a page of the kept notices of a topic.
-- Parameters: ?1 moment and ?2 id behind which they are, ?3 how many at most, ?4 topic.
-- Zero rows: no more.
-- Index: notices_by_topic, in its order.
SELECT id, topic, transaction_id, source, initialized_at, occurred_at, expires_at, data
FROM notices
WHERE topic = ?4 AND (occurred_at, id) > (?1, ?2)
ORDER BY occurred_at, id
LIMIT ?3
