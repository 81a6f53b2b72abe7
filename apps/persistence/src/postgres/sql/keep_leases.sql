-- Gives back, renews and claims leases, by this server's clock.
-- Parameters: 1 subscription, 2 which one of its name, 3 node, 4 milliseconds from now on, 5 whether the node leaves, 6 and 7
--   partitions to give back and the epochs of their leases, 8 and 9 those to renew, 10 partitions to claim.
-- A row for each partition, as it stands then; none: there is no such subscription, or another one of that name.
--   Index: subscription_partitions_pkey, subscription_members_pkey, letters_due.
SELECT * FROM {schema}.keep_leases($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
