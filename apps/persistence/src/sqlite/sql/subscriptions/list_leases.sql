-- Purpose: how the partitions of a subscription stand.
-- Parameters: ?1 subscription, ?2 now, ?3 which one of its name.
-- Zero rows: there is no such subscription, or another one of that name.
-- Index: primary keys of subscriptions, subscription_partitions and subscription_members, letters_due.
SELECT s.paused, (SELECT count(*) FROM subscription_members m WHERE m.subscription = s.name AND m.expires_at > ?2),
    p.partition, p.epoch, CASE WHEN p.expires_at > ?2 THEN p.owner END, p.checkpoint, p.letters, EXISTS (
        SELECT 1 FROM letters l
        WHERE l.box = s.box AND l.partition = p.partition AND l.head = 1 AND (l.retry = 1 OR l.error IS NULL)
    ), p.handled, s.resets, p.abandoned, p.begun
FROM subscriptions s CROSS JOIN subscription_partitions p ON p.subscription = s.name
WHERE s.name = ?1 AND s.incarnation = ?3 ORDER BY p.partition
