-- Gives back, renews and claims leases, by this server's clock.
-- Parameters: 1 subscription, 2 node, 3 milliseconds from now on, 4 whether the node leaves, 5 and 6 partitions to give back and the
--   epochs of their leases, 7 and 8 those to renew, 9 partitions to claim.
-- A row for each partition, as it stands then; none: there is no such subscription. Index: subscription_partitions_pkey,
--   subscription_members_pkey, letters_due.
SELECT * FROM {schema}.keep_leases($1, $2, $3, $4, $5, $6, $7, $8, $9)
