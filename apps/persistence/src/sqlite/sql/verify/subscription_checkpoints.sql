-- Purpose: finds subscriptions that follow the log and are beyond the head.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every partition is looked at.
SELECT 'subscription ' || s.name || ' has partition ' || p.partition || ' at ' || p.checkpoint || ', the log ends at '
    || (SELECT head FROM log)
FROM subscriptions s JOIN subscription_partitions p ON p.subscription = s.name
WHERE p.checkpoint < 0 OR s.stream IS NULL AND p.checkpoint > (SELECT head FROM log)
LIMIT ?1
