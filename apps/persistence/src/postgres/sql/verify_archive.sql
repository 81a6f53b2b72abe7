-- Rule: everything up to where the archive ends is in it, everything behind it is not.
-- Parameters: 1 how many findings at most. No row: it holds. Index: archive_pkey and events_pkey, where the archive ends.
SELECT format('the archive ends at position %s, the log at %s', archived_to, position) AS what
FROM {schema}.log WHERE archived_to NOT BETWEEN 0 AND position
UNION ALL
SELECT format('position %s is in the archive, which ends at %s', position, (SELECT max(archived_to) FROM {schema}.log))
FROM {schema}.archive WHERE position > (SELECT max(archived_to) FROM {schema}.log)
UNION ALL
SELECT format('position %s is not in the archive, which ends at %s', position, (SELECT max(archived_to) FROM {schema}.log))
FROM {schema}.events WHERE position <= (SELECT max(archived_to) FROM {schema}.log)
LIMIT $1
