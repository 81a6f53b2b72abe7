-- Removes a subscription with all that belongs to it.
-- Parameters: 1 name.
-- Always one row: how many dead letters it had, or -1 when there is no such subscription.
-- Index: subscription_partitions_pkey, letters_pkey.
SELECT {schema}.delete_subscription($1) AS letters
