-- Purpose: notes the first epoch that no lease of a subscription had.
-- Parameters: ?1 subscription.
-- Zero rows: always.
-- Index: primary keys of subscription_partitions and past_epochs.
INSERT INTO past_epochs (name, epoch)
SELECT ?1, coalesce(max(epoch), 0) + 1 FROM subscription_partitions WHERE subscription = ?1
ON CONFLICT (name) DO UPDATE SET epoch = max(epoch, excluded.epoch)
