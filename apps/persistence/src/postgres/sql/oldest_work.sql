-- Since when the oldest work waits that may come again: an entry of the outbox that is due, an event that a subscription has not
-- passed, a dead letter.
-- Parameters: 1 now, 2 the queue of what was given up, which is not waited for. One row that is null: nothing waits.
-- Index: outbox_by_due, from one queue to the next; events_pkey and archive_pkey, events_stream_id_version_key and
-- archive_stream_id_version_key, links_pkey, behind each subscription's least checkpoint; letters_by_age.
WITH RECURSIVE queues AS (
    (SELECT queue FROM {schema}.outbox ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT o.queue FROM {schema}.outbox o WHERE o.queue > queues.queue ORDER BY o.queue LIMIT 1)
    FROM queues WHERE queues.queue IS NOT NULL
), following AS (
    SELECT s.name, s.stream, min(p.checkpoint) AS checkpoint
    FROM {schema}.subscriptions s JOIN {schema}.subscription_partitions p ON p.subscription = s.name
    GROUP BY s.name, s.stream
)
SELECT least(
    (
        SELECT min(due.at)
        FROM queues CROSS JOIN LATERAL (
            SELECT coalesce(o.due_at, o.recorded_at) AS at FROM {schema}.outbox o
            WHERE o.queue = queues.queue AND coalesce(o.due_at, o.recorded_at) <= $1
            ORDER BY coalesce(o.due_at, o.recorded_at) LIMIT 1
        ) due
        WHERE queues.queue <> $2
    ),
    (
        SELECT min(event.recorded_at)
        FROM following f CROSS JOIN LATERAL (
            SELECT e.recorded_at FROM {schema}.all_events e WHERE e.position > f.checkpoint ORDER BY e.position LIMIT 1
        ) event
        WHERE f.stream IS NULL
    ),
    (
        SELECT min(event.recorded_at)
        FROM following f JOIN {schema}.streams s ON s.name = f.stream
        CROSS JOIN LATERAL (
            (SELECT e.recorded_at FROM {schema}.all_events e
                WHERE e.stream_id = s.stream_id AND e.version > f.checkpoint ORDER BY e.version LIMIT 1)
            UNION ALL
            (SELECT e.recorded_at FROM {schema}.links l JOIN {schema}.all_events e ON e.position = l.position
                WHERE l.stream_id = s.stream_id AND l.version > f.checkpoint ORDER BY l.version LIMIT 1)
        ) event
    ),
    (
        SELECT min(letter.parked_at)
        FROM {schema}.subscriptions s JOIN {schema}.subscription_partitions p ON p.subscription = s.name
        CROSS JOIN LATERAL (
            SELECT l.parked_at FROM {schema}.letters l
            WHERE l.box = s.box AND l.partition = p.partition ORDER BY l.parked_at LIMIT 1
        ) letter
    )
) AS oldest
