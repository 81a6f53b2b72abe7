-- Moves checkpoints of a subscription forward.
-- Parameters: 1 subscription, then for each checkpoint 2 partition, 3 epoch of its lease, 4 place.
-- A row for each partition that was refused. Index: subscription_partitions_pkey.
SELECT partition FROM {schema}.save_subscription_checkpoints($1, $2, $3, $4)
