-- Purpose: removes the partitions of a subscription.
-- Parameters: ?1 subscription.
-- Zero rows: always.
-- Index: primary key of subscription_partitions.
DELETE FROM subscription_partitions WHERE subscription = ?1
