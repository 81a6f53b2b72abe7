-- Purpose: subscriptions by name, a row for each partition.
-- Parameters: ?1 only this one or null, ?2 the name behind which they are, ?3 how many at most, ?4 now.
-- Zero rows: there are none.
-- Index: primary keys of subscriptions, subscription_partitions and subscription_members, letters_by_age.
SELECT s.name, s.source, s.stream, s.start_after, s.paused, s.created_at,
    (SELECT count(*) FROM subscription_members m WHERE m.subscription = s.name AND m.expires_at > ?4),
    p.partition, p.epoch, CASE WHEN p.expires_at > ?4 THEN p.owner END, p.checkpoint, p.letters,
    (SELECT min(l.parked_at) FROM letters l WHERE l.box = s.box AND l.partition = p.partition), s.incarnation,
    s.kept_as, p.handled
FROM subscriptions s CROSS JOIN subscription_partitions p ON p.subscription = s.name
WHERE s.name IN (SELECT name FROM subscriptions WHERE name > ?2 AND (?1 IS NULL OR name = ?1) ORDER BY name LIMIT ?3)
ORDER BY s.name, p.partition
