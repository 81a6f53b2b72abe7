-- Lets all subscriptions that follow a stream begin with its first event again, as reset_subscription does.
-- Parameters: 1 stream.
-- Always one row: how many dead letters they had. Index: subscriptions_by_stream, subscription_partitions_pkey.
SELECT {schema}.reset_followers($1) AS letters
