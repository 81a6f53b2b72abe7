-- Entries of a queue that are due, in the order in which they became so, and behind them the moment when the next will be.
-- Parameters: 1 queue, 2 now, 3 how many entries at most. No row: none waits there. Only the row of the next one has
--   a next_due, and nothing else. Index: outbox_by_due, in order.
(
    SELECT number, outbox_id, queue, body, due_at, recorded_at, NULL::timestamptz AS next_due FROM {schema}.outbox
    WHERE queue = $1 AND coalesce(due_at, recorded_at) <= $2
    ORDER BY coalesce(due_at, recorded_at), number LIMIT $3
) UNION ALL (
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, coalesce(due_at, recorded_at) FROM {schema}.outbox
    WHERE queue = $1 AND coalesce(due_at, recorded_at) > $2
    ORDER BY coalesce(due_at, recorded_at) LIMIT 1
)
