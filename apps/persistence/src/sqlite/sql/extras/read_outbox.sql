-- Purpose: entries of a queue that wait, in their order.
-- Parameters: ?1 queue, ?2 number behind which they are, ?3 how many at most.
-- Zero rows: none wait.
-- Index: outbox_by_queue, in its order.
SELECT number, id, queue, body, due_at, recorded_at FROM outbox WHERE queue = ?1 AND number > ?2 ORDER BY number LIMIT ?3
