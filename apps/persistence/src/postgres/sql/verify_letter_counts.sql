-- Rule: a partition knows how many dead letters it has. Each is counted at once, since they come and go.
-- Parameters: 1 how many findings at most, 2 and 3 the partitions to look at, behind the one up to the other, each subscription
-- and partition as a list of JSON. No row: it holds. Index: subscription_partitions_pkey; subscriptions_pkey, letters_by_key.
SELECT format('partition %s of %s counts %s letters and has %s', p.partition, p.subscription, p.letters, there.letters) AS what
FROM {schema}.subscription_partitions p LEFT JOIN {schema}.subscriptions s ON s.name = p.subscription,
    LATERAL (
        SELECT count(*) AS letters FROM {schema}.letters l
        WHERE l.box = s.box AND l.partition = p.partition
    ) there
WHERE (p.subscription, p.partition) > ($2::text::json->>0, ($2::text::json->>1)::bigint)
    AND (p.subscription, p.partition) <= ($3::text::json->>0, ($3::text::json->>1)::bigint)
    AND p.letters <> there.letters
LIMIT $1
