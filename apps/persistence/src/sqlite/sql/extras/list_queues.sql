-- Purpose: the queues in which entries wait, by name, each with how many these are and when the first is due.
-- Parameters: ?1 a name behind which theirs are, ?2 how many queues at most.
-- Zero rows: nothing waits there.
-- Index: outbox_by_due, from one queue to the next, and each queue's entries to count them.
WITH RECURSIVE queues (queue) AS (
    SELECT min(queue) FROM outbox WHERE queue > ?1
    UNION ALL
    SELECT (SELECT o.queue FROM outbox AS o WHERE o.queue > queues.queue ORDER BY o.queue LIMIT 1)
    FROM queues WHERE queues.queue IS NOT NULL LIMIT ?2
)
SELECT
    queues.queue,
    (SELECT count(*) FROM outbox AS o WHERE o.queue = queues.queue),
    (
        SELECT coalesce(o.due_at, o.recorded_at) FROM outbox AS o
        WHERE o.queue = queues.queue ORDER BY coalesce(o.due_at, o.recorded_at) LIMIT 1
    )
FROM queues WHERE queues.queue IS NOT NULL
