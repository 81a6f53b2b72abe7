-- Rule: a dead letter belongs to the partition of its key, of a subscription that is there, and is of an event that the log has
-- come to; each key knows its first.
-- Parameters: 1 how many findings at most, 2 and 3 the letters to look at, behind the one up to the other, each subscription and
-- place as a list of JSON. No row: it holds. Index: letters_pkey; letters_by_key, subscription_partitions_pkey.
SELECT format('letter at %s of %s, partition %s, of position %s', place, subscription, partition, position) AS what
FROM (
    SELECT l.*, c.partitions,
        -- Keys are unsigned.
        CASE WHEN l.key >= 0 THEN l.key % c.partitions
            ELSE (l.key % c.partitions + c.partitions + (9223372036854775807 % c.partitions * 2 + 2) % c.partitions) % c.partitions
        END AS home,
        NOT EXISTS (
            SELECT FROM {schema}.letters b
            WHERE b.subscription = l.subscription AND b.partition = l.partition AND b.key = l.key AND b.place < l.place
        ) AS is_first
    FROM {schema}.letters l
    LEFT JOIN LATERAL (
        SELECT nullif(count(*), 0) AS partitions FROM {schema}.subscription_partitions p WHERE p.subscription = l.subscription
    ) c ON true
    WHERE (l.subscription, l.place) > ($2::text::json->>0, ($2::text::json->>1)::bigint)
        AND (l.subscription, l.place) <= ($3::text::json->>0, ($3::text::json->>1)::bigint)
) known
WHERE partitions IS NULL OR partition <> home OR head <> is_first
    OR position NOT BETWEEN 1 AND (SELECT max(position) FROM {schema}.log)
LIMIT $1
