-- Purpose: whether a lease is the last one of its partition.
-- Parameters: ?1 subscription, ?2 partition, ?3 epoch.
-- Zero rows: never.
-- Index: primary key of subscription_partitions.
SELECT EXISTS (SELECT 1 FROM subscription_partitions WHERE subscription = ?1 AND partition = ?2 AND epoch = ?3)
