-- Purpose: counts letters that a partition has won or lost.
-- Parameters: ?1 subscription, ?2 partition, ?3 how many it has more.
-- Zero rows: always.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET letters = letters + ?3 WHERE subscription = ?1 AND partition = ?2
