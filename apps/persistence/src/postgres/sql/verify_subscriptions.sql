-- Rule: a subscription's partitions are numbered from 0 without a gap, and each belongs to a subscription that is there; what its
-- dead letters are kept in is not lost, and what is counted with it is not less than nothing.
-- Parameters: 1 how many findings at most. No row: it holds. Index: subscriptions_pkey, lost_boxes_pkey; it looks at every partition.
SELECT CASE
    WHEN s.name IS NULL THEN format('partitions of %s: there is no such subscription', p.subscription)
    WHEN p.subscription IS NULL THEN format('subscription %s has no partitions', s.name)
    WHEN lost.box IS NOT NULL THEN format('subscription %s keeps its dead letters in box %s, which is lost', s.name, s.box)
    ELSE format('subscription %s has %s partitions, from %s to %s', s.name, p.count, p.first, p.last)
END AS what
FROM {schema}.subscriptions s
FULL JOIN (
    SELECT subscription, count(*) AS count, min(partition) AS first, max(partition) AS last
    FROM {schema}.subscription_partitions GROUP BY subscription
) p ON p.subscription = s.name
LEFT JOIN {schema}.lost_boxes lost ON lost.box = s.box
WHERE s.name IS NULL OR p.subscription IS NULL OR p.first <> 0 OR p.last <> p.count - 1 OR lost.box IS NOT NULL
UNION ALL
SELECT format('subscription %s was reset %s times, began behind %s and with epoch %s', name, resets, coalesce(start_after, 0), incarnation)
FROM {schema}.subscriptions WHERE resets < 0 OR start_after < 0 OR incarnation < 0
UNION ALL
SELECT format('partition %s of %s is owned in epoch %s, and has handled up to %s', partition, subscription, epoch, handled)
FROM {schema}.subscription_partitions WHERE epoch < 0 OR handled < 0
LIMIT $1
