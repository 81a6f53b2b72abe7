-- Removes a subscription with all that belongs to it; its dead letters are lost, and go by and by.
-- Parameters: 1 name.
-- Always one row: how many dead letters it had, or -1 when there is no such subscription.
-- Index: subscription_partitions_pkey, subscriptions_pkey.
SELECT {schema}.delete_subscription($1) AS letters
