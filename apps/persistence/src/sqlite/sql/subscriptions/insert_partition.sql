-- Purpose: makes a partition.
-- Parameters: ?1 subscription, ?2 partition, ?3 checkpoint.
-- Zero rows: always.
-- Index: primary keys of subscription_partitions and subscriptions.
INSERT INTO subscription_partitions (subscription, partition, checkpoint, epoch)
VALUES (?1, ?2, ?3, (SELECT incarnation FROM subscriptions WHERE name = ?1))
