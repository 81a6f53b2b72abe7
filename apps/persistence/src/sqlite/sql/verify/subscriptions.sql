-- Purpose: finds partitions that are not numbered from 0 without a gap, or of no subscription.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every partition is looked at.
WITH counted AS (
    SELECT subscription, count(*) AS count, min(partition) AS first, max(partition) AS last
    FROM subscription_partitions GROUP BY subscription
)
SELECT 'partitions of ' || c.subscription || ': there is no such subscription'
FROM counted c WHERE c.subscription NOT IN (SELECT name FROM subscriptions)
UNION ALL
SELECT 'subscription ' || s.name || ' has ' || coalesce(c.count || ' partitions, from ' || c.first || ' to ' || c.last, 'no partitions')
FROM subscriptions s LEFT JOIN counted c ON c.subscription = s.name
WHERE c.first IS NOT 0 OR c.last IS NOT c.count - 1
LIMIT ?1
