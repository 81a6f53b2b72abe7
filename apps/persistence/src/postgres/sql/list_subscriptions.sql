-- Subscriptions by name, with their partitions in order.
-- Parameters: 1 only this one or null, 2 the name behind which the page begins or null, 3 how many at most.
-- A row for each partition; none: nothing is there. Index: subscriptions_pkey, subscription_partitions_pkey, letters_by_age.
SELECT * FROM {schema}.list_subscriptions($1, $2, $3)
