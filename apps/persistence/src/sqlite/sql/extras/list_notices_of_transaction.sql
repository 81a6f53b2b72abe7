-- Purpose: a page of the kept notices of a transaction.
-- Parameters: ?1 moment and ?2 id behind which they are, ?3 how many at most, ?4 transaction_id, ?5 topic or null.
-- Zero rows: no more.
-- Index: notices_by_transaction, in its order.
SELECT id, topic, transaction_id, source, initialized_at, occurred_at, expires_at, data
FROM notices
WHERE transaction_id = ?4 AND (occurred_at, id) > (?1, ?2) AND (?5 IS NULL OR topic = ?5)
ORDER BY occurred_at, id
LIMIT ?3
