-- Rule: a dead letter belongs to the partition of its key, of a subscription that is there, and is of an event that the log has
-- come to; each key knows its first. What is in a lost box is nobody's, and waits to be removed.
-- Parameters: 1 how many findings at most, 2 and 3 the letters to look at, behind the one up to the other, each box and place as a
-- list of JSON. No row: it holds. Index: letters_pkey; letters_by_key, subscriptions_box_key, subscription_partitions_pkey,
-- lost_boxes_pkey.
SELECT format('letter at %s of %s, partition %s, of position %s: ', place, coalesce(name, 'box ' || box), partition, position) || CASE
    WHEN name IS NULL THEN 'there is no subscription with this box'
    WHEN partitions IS NULL THEN 'the subscription has no partitions'
    WHEN position NOT BETWEEN 1 AND (SELECT max(position) FROM {schema}.log)
        THEN 'the log ends at ' || (SELECT max(position) FROM {schema}.log)
    WHEN partition <> home THEN 'its key is of partition ' || home
    WHEN is_first THEN 'it is the first of its key, and does not say so'
    ELSE 'it says that it is the first of its key, and is not'
END AS what
FROM (
    SELECT l.*, s.name, c.partitions,
        -- Keys are unsigned.
        CASE WHEN l.key >= 0 THEN l.key % c.partitions
            ELSE (l.key % c.partitions + c.partitions + (9223372036854775807 % c.partitions * 2 + 2) % c.partitions) % c.partitions
        END AS home,
        NOT EXISTS (
            SELECT FROM {schema}.letters b
            WHERE b.box = l.box AND b.partition = l.partition AND b.key = l.key AND b.place < l.place
        ) AS is_first
    FROM {schema}.letters l LEFT JOIN {schema}.subscriptions s ON s.box = l.box
    LEFT JOIN LATERAL (
        SELECT nullif(count(*), 0) AS partitions FROM {schema}.subscription_partitions p WHERE p.subscription = s.name
    ) c ON true
    WHERE (l.box, l.place) > (($2::text::json->>0)::bigint, ($2::text::json->>1)::bigint)
        AND (l.box, l.place) <= (($3::text::json->>0)::bigint, ($3::text::json->>1)::bigint)
        AND NOT EXISTS (SELECT FROM {schema}.lost_boxes b WHERE b.box = l.box)
) known
WHERE partitions IS NULL OR partition <> home OR head <> is_first
    OR position NOT BETWEEN 1 AND (SELECT max(position) FROM {schema}.log)
LIMIT $1
