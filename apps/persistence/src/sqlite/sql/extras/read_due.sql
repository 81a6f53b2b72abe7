-- Purpose: entries of a queue that are due, in the order in which they became so.
-- Parameters: ?1 queue, ?2 now, ?3 how many at most.
-- Zero rows: none is due.
-- Index: outbox_by_due, in its order.
SELECT number, id, queue, body, due_at, recorded_at FROM outbox
WHERE queue = ?1 AND coalesce(due_at, recorded_at) <= ?2
ORDER BY coalesce(due_at, recorded_at), number LIMIT ?3
