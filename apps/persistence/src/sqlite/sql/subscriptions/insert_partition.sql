-- Purpose: makes a partition.
-- Parameters: ?1 subscription, ?2 partition, ?3 checkpoint.
-- Zero rows: always.
-- Index: primary keys of subscription_partitions and past_epochs.
INSERT INTO subscription_partitions (subscription, partition, checkpoint, epoch)
VALUES (?1, ?2, ?3, coalesce((SELECT epoch FROM past_epochs WHERE name = ?1), 0))
