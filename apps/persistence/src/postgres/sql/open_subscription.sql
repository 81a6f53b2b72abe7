-- Makes a subscription unless it is there.
-- Parameters: 1 name, 2 partitions, 3 the place behind which it begins or null, 4 whether it begins now, 5 the stream that it
--   follows or null, 6 what it follows in words.
-- A row for each partition of what is there then. Index: subscriptions_pkey, subscription_partitions_pkey.
SELECT * FROM {schema}.open_subscription($1, $2, $3, $4, $5, $6)
