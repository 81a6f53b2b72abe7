-- Rule: positions run from 1 to the head; as many are missing as the audit says were removed for good.
-- Parameters: 1 how many findings at most. No row: it holds. Index: events_pkey and archive_pkey count; only when the count
-- is wrong, everything is looked at in order of position. (The audit is picked out first, so that no other event's data is
-- parsed.)
WITH audit AS MATERIALIZED (
    SELECT e.data FROM {schema}.all_events e
    WHERE e.stream_id = (SELECT stream_id FROM {schema}.streams WHERE name = '$audit')
), removal AS (
    SELECT coalesce(sum((data->>'events')::bigint), 0) AS events FROM audit
    WHERE data->>'removal' = 'hard' AND data->>'events' ~ '^\d{1,18}$'
), total AS MATERIALIZED (
    SELECT log.position AS head, removal.events AS removed,
        log.position - (SELECT count(*) FROM {schema}.all_events WHERE position BETWEEN 1 AND log.position) AS missing
    FROM {schema}.log, removal
)
SELECT format('up to position %s, %s are missing and %s were removed', head, missing, removed) AS what
FROM total WHERE missing <> removed
UNION ALL
SELECT CASE
    WHEN step.position = step.before THEN format('position %s is there twice', step.position)
    ELSE format('positions %s to %s are missing', step.before + 1, step.position - 1)
END
FROM (SELECT * FROM total WHERE missing <> removed) wrong, LATERAL (
    SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS before
    FROM (
        SELECT position FROM {schema}.all_events WHERE position > 0 AND position <= wrong.head
        UNION ALL
        SELECT wrong.head + 1
    ) there
) step
WHERE step.position = step.before OR step.position > step.before + 1
UNION ALL
SELECT format('position %s is beyond the head or below the first', e.position)
FROM total, {schema}.all_events e WHERE e.position < 1 OR e.position > total.head
LIMIT $1
