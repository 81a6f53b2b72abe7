-- Purpose: forgets how far a subscription had come, as its places mean something else now.
-- Parameters: ?1 subscription.
-- Zero rows: always.
-- Index: primary key of subscription_partitions.
UPDATE subscription_partitions SET handled = 0 WHERE subscription = ?1
