-- Purpose: takes a partition that nobody has, and counts that its last owner gave nothing back; who gave it back has ended what it began.
-- Parameters: ?1 subscription, ?2 partition, ?3 node, ?4 until when, ?5 now.
-- Zero rows: always; no row changes when somebody has it.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET epoch = epoch + 1, owner = ?3, expires_at = ?4,
    abandoned = iif(owner IS NULL, 0, abandoned + 1), begun = iif(owner IS NULL, NULL, begun)
WHERE subscription = ?1 AND partition = ?2 AND (owner IS NULL OR expires_at <= ?5)
