-- Purpose: notes the first epoch that no lease of a subscription had, and what the next one of its name is kept as.
-- Parameters: ?1 subscription, ?2 whether it goes on under another name.
-- Zero rows: always.
-- Index: primary keys of subscriptions, subscription_partitions and past_epochs.
INSERT INTO past_epochs (name, epoch, kept_as)
SELECT s.name, coalesce(max(p.epoch), 0) + 1,
    CASE WHEN ?2 THEN s.name || '@' || (coalesce(max(p.epoch), 0) + 1) ELSE s.kept_as END
FROM subscriptions s LEFT JOIN subscription_partitions p ON p.subscription = s.name
WHERE s.name = ?1 GROUP BY s.name
ON CONFLICT (name) DO UPDATE SET epoch = max(epoch, excluded.epoch), kept_as = excluded.kept_as
