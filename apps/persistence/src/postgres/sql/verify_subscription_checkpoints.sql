-- Rule: a subscription that follows the log has no checkpoint beyond the log's head.
-- Parameters: 1 how many findings at most. No row: it holds. Index: subscriptions_pkey; it looks at every partition.
SELECT format('subscription %s has partition %s at %s, the log ends at %s', s.name, p.partition, p.checkpoint, log.position)
    AS what
FROM {schema}.subscriptions s JOIN {schema}.subscription_partitions p ON p.subscription = s.name, {schema}.log
WHERE p.checkpoint < 0 OR s.stream IS NULL AND p.checkpoint > log.position
LIMIT $1
