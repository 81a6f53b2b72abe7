-- Purpose: notes the first epoch that no lease of a subscription had, and what the next one of its name is kept as.
-- Parameters: ?1 subscription, ?2 whether it goes on under another name.
-- Zero rows: always.
-- Index: primary keys of subscriptions, subscription_partitions and past_epochs.
INSERT INTO past_epochs (name, epoch, kept_as)
SELECT ?1, last.epoch + 1, CASE WHEN ?2 THEN ?1 || '@' || (last.epoch + 1) ELSE s.kept_as END
FROM subscriptions s CROSS JOIN
    (SELECT coalesce(max(epoch), 0) AS epoch FROM subscription_partitions WHERE subscription = ?1) last
WHERE s.name = ?1
ON CONFLICT (name) DO UPDATE SET epoch = max(epoch, excluded.epoch), kept_as = excluded.kept_as
