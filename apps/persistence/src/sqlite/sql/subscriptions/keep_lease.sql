-- Purpose: renews a lease, or gives it back.
-- Parameters: ?1 subscription, ?2 partition, ?3 epoch, ?4 node, ?5 until when, or null to give it back.
-- Zero rows: always; no row changes when the lease was lost.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET owner = CASE WHEN ?5 IS NOT NULL THEN owner END, expires_at = ?5
WHERE subscription = ?1 AND partition = ?2 AND epoch = ?3 AND owner = ?4
