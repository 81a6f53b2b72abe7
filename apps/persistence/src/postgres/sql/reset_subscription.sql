-- Lets a subscription begin elsewhere, without dead letters (they are lost, and go by and by) and with nobody as the owner of its partitions.
-- Parameters: 1 name, 2 the place behind which it begins or null, 3 whether it begins now.
-- Always one row: how many dead letters it had, or -1 when there is no such subscription.
-- Index: subscription_partitions_pkey, subscriptions_pkey.
SELECT {schema}.reset_subscription($1, $2, $3) AS letters
