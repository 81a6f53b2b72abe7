-- Rule: positions run from 1 to the head.
-- Parameters: 1 how many findings at most. No row: none is elsewhere. Index: events_pkey, archive_pkey, at their ends.
SELECT format('position %s is beyond the head or below the first', position) AS what
FROM {schema}.all_events WHERE position < 1
UNION ALL
SELECT format('position %s is beyond the head or below the first', position)
FROM {schema}.all_events WHERE position > (SELECT max(position) FROM {schema}.log)
LIMIT $1
