-- Dead letters that are due.
-- Parameters: 1 subscription, 2 partitions, 3 how many at most.
-- A row for each, by place; none: nothing is due. Index: subscriptions_pkey, letters_due.
SELECT $1::text AS subscription, l.partition, l.place, l.key, l.key_text, l.event_id, l.position, l.event_name, l.error, l.attempts,
    l.first_failed_at, l.last_failed_at, l.parked_at, l.retry, l.replay, l.edited
FROM {schema}.letters l
WHERE l.box = (SELECT box FROM {schema}.subscriptions WHERE name = $1) AND l.partition = ANY ($2) AND l.head AND (l.retry OR l.error IS NULL)
ORDER BY l.place LIMIT $3
