-- Purpose: finds letters of other partitions than their keys', of events that the log has not come to, or that nobody can read, and
--   wrong counts and first letters. What is in a lost box is nobody's, and waits to be removed.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every letter is looked at.
WITH counted AS (
    SELECT subscription, count(*) AS partitions FROM subscription_partitions GROUP BY subscription
), known AS (
    SELECT l.*, s.name, c.partitions,
        -- Keys are unsigned.
        CASE WHEN l.key >= 0 THEN l.key % c.partitions
            ELSE (l.key % c.partitions + c.partitions + (9223372036854775807 % c.partitions * 2 + 2) % c.partitions) % c.partitions
        END AS home,
        row_number() OVER (PARTITION BY l.box, l.partition, l.key ORDER BY l.place) = 1 AS is_first
    FROM letters l
    LEFT JOIN subscriptions s ON s.box = l.box
    LEFT JOIN counted c ON c.subscription = s.name
    WHERE l.box NOT IN (SELECT box FROM lost_boxes)
)
SELECT 'letter at ' || place || ' of ' || coalesce(name, 'box ' || box) || ', partition ' || partition || ', of position ' || position
    || CASE
        WHEN name IS NULL THEN ': there is no subscription with this box'
        WHEN partitions IS NULL THEN ': the subscription has no partitions'
        WHEN position NOT BETWEEN 1 AND (SELECT head FROM log) THEN ': the log ends at ' || (SELECT head FROM log)
        WHEN partition <> home THEN ': its key is of partition ' || home
        WHEN head < is_first THEN ': it is the first of its key, and does not say so'
        WHEN head > is_first THEN ': it says that it is the first of its key, and is not'
        WHEN length(event_id) <> 16 THEN ': the id of its event is none'
        WHEN attempts NOT BETWEEN 0 AND 4294967295 THEN ': it was tried ' || attempts || ' times'
        ELSE ': its edited data is no JSON'
    END
FROM known
WHERE partitions IS NULL OR partition <> home OR head <> is_first OR position NOT BETWEEN 1 AND (SELECT head FROM log)
    OR length(event_id) <> 16 OR json_valid(edited) = 0 OR attempts NOT BETWEEN 0 AND 4294967295
UNION ALL
SELECT 'partition ' || p.partition || ' of ' || p.subscription || ' counts ' || p.letters || ' letters and has another number'
FROM subscription_partitions p WHERE p.letters <> (
    SELECT count(*) FROM subscriptions s JOIN letters l ON l.box = s.box
    WHERE s.name = p.subscription AND l.partition = p.partition
)
LIMIT ?1
