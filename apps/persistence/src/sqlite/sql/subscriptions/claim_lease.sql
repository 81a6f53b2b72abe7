-- Purpose: takes a partition that nobody has.
-- Parameters: ?1 subscription, ?2 partition, ?3 node, ?4 until when, ?5 now.
-- Zero rows: always; no row changes when somebody has it.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET epoch = epoch + 1, owner = ?3, expires_at = ?4
WHERE subscription = ?1 AND partition = ?2 AND (owner IS NULL OR expires_at <= ?5)
