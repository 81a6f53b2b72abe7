-- Purpose: notes what the owner of a partition has begun and not ended.
-- Parameters: ?1 subscription, ?2 partition, ?3 epoch of its lease, ?4 as JSON how often by place, or NULL.
-- Zero rows: always; no row changes when the lease was lost.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET begun = ?4 WHERE subscription = ?1 AND partition = ?2 AND epoch = ?3
