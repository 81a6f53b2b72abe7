-- Purpose: a page of the kept notices.
-- Parameters: ?1 moment and ?2 id behind which they are, ?3 how many at most.
-- Zero rows: no more.
-- Index: notices_by_time, in its order.
SELECT id, topic, transaction_id, source, initialized_at, occurred_at, expires_at, data
FROM notices
WHERE (occurred_at, id) > (?1, ?2)
ORDER BY occurred_at, id
LIMIT ?3
