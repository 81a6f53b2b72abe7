-- Entries of a queue that wait, in their order.
-- Parameters: 1 queue, 2 only numbers behind this one, 3 how many at most. No row: none waits there.
-- Index: outbox_by_queue, in order.
SELECT number, outbox_id, queue, body, due_at, recorded_at FROM {schema}.outbox
WHERE queue = $1 AND number > $2 ORDER BY number LIMIT $3
