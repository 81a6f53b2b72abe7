-- The queues in which entries wait, by name, each with how many these are and when the first is due.
-- Parameters: 1 only names behind this one, 2 how many queues at most. No row: nothing waits there.
-- Index: outbox_by_due, from one queue to the next, and each queue's entries to count them.
WITH RECURSIVE queues AS (
    (SELECT queue, 1::bigint AS place FROM {schema}.outbox WHERE queue > $1 AND $2::bigint > 0 ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT o.queue FROM {schema}.outbox o WHERE o.queue > queues.queue ORDER BY o.queue LIMIT 1), place + 1
    FROM queues WHERE queues.queue IS NOT NULL AND place < $2::bigint
)
SELECT queues.queue, waiting.waiting, first.due_at AS first_due_at
FROM queues
CROSS JOIN LATERAL (SELECT count(*) AS waiting FROM {schema}.outbox o WHERE o.queue = queues.queue) waiting
CROSS JOIN LATERAL (
    SELECT coalesce(o.due_at, o.recorded_at) AS due_at FROM {schema}.outbox o
    WHERE o.queue = queues.queue ORDER BY coalesce(o.due_at, o.recorded_at) LIMIT 1
) first
ORDER BY queues.queue
