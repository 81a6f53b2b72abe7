-- Purpose: how many dead letters a subscription has, as its partitions count them.
-- Parameters: ?1 subscription.
-- Zero rows: never.
-- Index: primary key of subscription_partitions.
SELECT coalesce(sum(letters), 0) FROM subscription_partitions WHERE subscription = ?1
