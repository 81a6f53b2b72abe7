-- Purpose: gives back all leases of a node.
-- Parameters: ?1 subscription, ?2 node.
-- Zero rows: always.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET owner = NULL, expires_at = NULL WHERE subscription = ?1 AND owner = ?2
