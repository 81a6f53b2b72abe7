-- Gives a subscription another name, with all that belongs to it.
-- Parameters: 1 name, 2 the new name.
-- Always one row: how many dead letters it has, -1 when there is no such subscription, -2 when another has the new name.
-- Index: subscriptions_pkey, subscription_partitions_pkey.
SELECT {schema}.rename_subscription($1, $2) AS letters
