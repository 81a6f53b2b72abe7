-- Notes what the owner of a partition has begun and not ended.
-- Parameters: 1 subscription, 2 partition, 3 epoch of its lease, 4 as JSON how often by place, or NULL.
-- A row; none when the lease was lost. Index: subscription_partitions_pkey.
UPDATE {schema}.subscription_partitions SET begun = $4 WHERE subscription = $1 AND partition = $2 AND epoch = $3 RETURNING partition
