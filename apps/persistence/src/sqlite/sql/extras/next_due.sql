-- Purpose: when the first entry of a queue is due that is not due yet.
-- Parameters: ?1 queue, ?2 now.
-- Zero rows: none waits for its time.
-- Index: outbox_by_due, its first row behind now.
SELECT coalesce(due_at, recorded_at) FROM outbox
WHERE queue = ?1 AND coalesce(due_at, recorded_at) > ?2
ORDER BY coalesce(due_at, recorded_at) LIMIT 1
