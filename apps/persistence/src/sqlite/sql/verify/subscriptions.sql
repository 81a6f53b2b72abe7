-- Purpose: finds partitions that are not numbered from 0 without a gap, or of no subscription, boxes that are lost and in use, and
--   numbers and ids that are none.
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
UNION ALL
SELECT 'subscription ' || s.name || ' keeps its dead letters in box ' || s.box || ', which is lost'
FROM subscriptions s JOIN lost_boxes lost ON lost.box = s.box
UNION ALL
SELECT 'subscription ' || name || ' was reset ' || resets || ' times, began behind ' || coalesce(start_after, 0) || ' and with epoch '
    || incarnation
FROM subscriptions WHERE resets < 0 OR start_after < 0 OR incarnation < 0
UNION ALL
SELECT 'partition ' || partition || ' of ' || subscription || ' is owned in epoch ' || epoch || ' by '
    || coalesce(lower(hex(owner)), 'nobody') || ', and has handled up to ' || handled
FROM subscription_partitions WHERE length(owner) <> 16 OR epoch < 0 OR handled < 0
UNION ALL
SELECT 'in subscription ' || subscription || ' takes part ' || lower(hex(node)) || ', an id that is none'
FROM subscription_members WHERE length(node) <> 16
LIMIT ?1
