-- Purpose: moves a partition's checkpoint forward, never back.
-- Parameters: ?1 subscription, ?2 partition, ?3 epoch of its lease, ?4 place.
-- Zero rows: always; no row changes when the lease was lost.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET checkpoint = max(checkpoint, ?4), handled = max(handled, ?4),
    abandoned = iif(?4 > checkpoint, 0, abandoned)
WHERE subscription = ?1 AND partition = ?2 AND epoch = ?3
