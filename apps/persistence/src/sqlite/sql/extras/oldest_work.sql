-- Purpose: since when the oldest work waits that may come again: an entry of the outbox that is due, an event that a subscription
--   has not passed, a dead letter.
-- Parameters: ?1 now, ?2 the queue of what was given up, which is not waited for.
-- Zero rows: never; one that is null: nothing waits.
-- Index: outbox_by_due, from one queue to the next; behind each subscription's least checkpoint, the primary keys of events and
--   archived_events, those on (stream_id, version), and the primary key of links; letters_by_age.
WITH RECURSIVE queues (queue) AS (
    SELECT min(queue) FROM outbox
    UNION ALL
    SELECT (SELECT o.queue FROM outbox AS o WHERE o.queue > queues.queue ORDER BY o.queue LIMIT 1)
    FROM queues WHERE queues.queue IS NOT NULL
), following AS (
    SELECT s.stream, (
        SELECT min(p.checkpoint) FROM subscription_partitions AS p WHERE p.subscription = s.name
    ) AS checkpoint
    FROM subscriptions AS s
), moments (at) AS (
    SELECT (
        SELECT coalesce(o.due_at, o.recorded_at) FROM outbox AS o
        WHERE o.queue = queues.queue AND coalesce(o.due_at, o.recorded_at) <= ?1
        ORDER BY coalesce(o.due_at, o.recorded_at) LIMIT 1
    )
    FROM queues WHERE queues.queue <> ?2
    UNION ALL
    SELECT (SELECT e.recorded_at FROM events AS e WHERE e.position > f.checkpoint ORDER BY e.position LIMIT 1)
    FROM following AS f WHERE f.stream IS NULL
    UNION ALL
    SELECT (SELECT e.recorded_at FROM archived_events AS e WHERE e.position > f.checkpoint ORDER BY e.position LIMIT 1)
    FROM following AS f WHERE f.stream IS NULL
    UNION ALL
    SELECT (
        SELECT e.recorded_at FROM events AS e
        WHERE e.stream_id = s.stream_id AND e.version > f.checkpoint ORDER BY e.version LIMIT 1
    )
    FROM following AS f JOIN streams AS s ON s.name = f.stream
    UNION ALL
    SELECT (
        SELECT e.recorded_at FROM archived_events AS e
        WHERE e.stream_id = s.stream_id AND e.version > f.checkpoint ORDER BY e.version LIMIT 1
    )
    FROM following AS f JOIN streams AS s ON s.name = f.stream
    UNION ALL
    SELECT (
        SELECT coalesce(e.recorded_at, a.recorded_at) FROM links AS l
        LEFT JOIN events AS e ON e.position = l.position
        LEFT JOIN archived_events AS a ON a.position = l.position
        WHERE l.stream_id = s.stream_id AND l.version > f.checkpoint ORDER BY l.version LIMIT 1
    )
    FROM following AS f JOIN streams AS s ON s.name = f.stream
    UNION ALL
    SELECT (
        SELECT l.parked_at FROM letters AS l
        WHERE l.box = s.box AND l.partition = p.partition ORDER BY l.parked_at LIMIT 1
    )
    FROM subscriptions AS s JOIN subscription_partitions AS p ON p.subscription = s.name
)
SELECT min(at) FROM moments
