-- Rule: a dead letter belongs to the partition of its key, of a subscription that is there, and is of an event that the log has
-- come to; each partition knows how many it has, and each key its first.
-- Parameters: 1 how many findings at most. No row: it holds. Index: letters_by_key; it looks at every letter.
WITH counted AS (
    SELECT subscription, count(*) AS partitions FROM {schema}.subscription_partitions GROUP BY subscription
), known AS (
    SELECT l.*, c.partitions,
        -- Keys are unsigned.
        CASE WHEN l.key >= 0 THEN l.key % c.partitions
            ELSE (l.key % c.partitions + c.partitions + (9223372036854775807 % c.partitions * 2 + 2) % c.partitions) % c.partitions
        END AS home,
        row_number() OVER (PARTITION BY l.subscription, l.partition, l.key ORDER BY l.place) = 1 AS is_first
    FROM {schema}.letters l LEFT JOIN counted c USING (subscription)
)
SELECT format('letter at %s of %s, partition %s, of position %s', place, subscription, partition, position) AS what
FROM known
WHERE partitions IS NULL OR partition <> home OR head <> is_first
    OR position NOT BETWEEN 1 AND (SELECT max(position) FROM {schema}.log)
UNION ALL
SELECT format('partition %s of %s counts %s letters and has %s', p.partition, p.subscription, p.letters, there.letters)
FROM {schema}.subscription_partitions p,
    LATERAL (
        SELECT count(*) AS letters FROM {schema}.letters l
        WHERE l.subscription = p.subscription AND l.partition = p.partition
    ) there
WHERE p.letters <> there.letters
LIMIT $1
