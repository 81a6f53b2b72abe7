-- Purpose: moves all checkpoints of a subscription and takes its leases away.
-- Parameters: ?1 subscription, ?2 checkpoint.
-- Zero rows: always.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET epoch = epoch + 1, owner = NULL, expires_at = NULL, checkpoint = ?2, letters = 0
WHERE subscription = ?1
