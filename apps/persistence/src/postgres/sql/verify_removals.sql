-- Rule: streams that are there have lost no more versions than the audit says were removed. (Those that are gone have
-- taken their part along.)
-- Parameters: 1 how many findings at most. No row: it holds. Index: events_stream_id_version_key for the audit; every
-- stream is looked at.
WITH audit AS MATERIALIZED (
    SELECT e.data FROM {schema}.all_events e
    WHERE e.stream_id = (SELECT stream_id FROM {schema}.streams WHERE name = '$audit')
), told AS (
    SELECT coalesce(sum((data->>'events')::bigint + (data->>'links')::bigint), 0) AS removed FROM audit
    WHERE data->>'removal' = 'hard' AND data->>'events' ~ '^\d{1,18}$' AND data->>'links' ~ '^\d{1,18}$'
), lost AS (
    SELECT coalesce(sum(removed), 0) AS removed FROM {schema}.streams
)
SELECT format('streams have lost %s versions, and the audit tells of %s', lost.removed, told.removed) AS what
FROM lost, told WHERE lost.removed > told.removed
LIMIT $1
