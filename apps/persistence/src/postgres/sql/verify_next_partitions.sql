-- Where a step through the partitions of subscriptions ends: before those that would make it more than so many dead letters,
-- by what the partitions say; behind one at least.
-- Parameters: 1 where the step before ended, subscription and partition as a list of JSON, 2 how many. No row: there are no
-- more. Index: subscription_partitions_pkey, in its order.
SELECT json_build_array(subscription, partition)::text AS upto, letters::bigint AS rows
FROM (
    SELECT subscription, partition, sum(letters) OVER nth AS letters, row_number() OVER nth AS number
    FROM (
        SELECT subscription, partition, letters FROM {schema}.subscription_partitions
        WHERE (subscription, partition) > ($1::text::json->>0, ($1::text::json->>1)::bigint)
        ORDER BY subscription, partition LIMIT $2
    ) behind
    WINDOW nth AS (ORDER BY subscription, partition)
) step
WHERE letters <= $2 OR number = 1
ORDER BY subscription DESC, partition DESC LIMIT 1
