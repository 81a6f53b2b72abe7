-- Purpose: gives the partitions of a subscription its new name, and takes its leases away; its past epochs are noted already.
-- Parameters: ?1 name, ?2 the new name.
-- Zero rows: always.
-- Index: primary keys of subscription_partitions and past_epochs.
UPDATE subscription_partitions
SET subscription = ?2, epoch = (SELECT max(epoch) FROM past_epochs WHERE name IN (?1, ?2)), owner = NULL, expires_at = NULL
WHERE subscription = ?1
