-- Rule: a subscription's partitions are numbered from 0 without a gap, and each belongs to a subscription that is there; what its
-- dead letters are kept in is not lost.
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
LIMIT $1
