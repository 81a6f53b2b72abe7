-- Rule: everything up to where the archive ends is in it, everything behind it is not.
-- Parameters: 1 how many findings at most. No row: it holds. Index: archive_pkey, events_pkey.
SELECT format('the archive ends at position %s, the log at %s', archived_to, position) AS what
FROM {schema}.log WHERE archived_to NOT BETWEEN 0 AND position
UNION ALL
SELECT format('position %s is in the archive, which ends at %s', a.position, log.archived_to)
FROM {schema}.archive a, {schema}.log WHERE a.position > log.archived_to
UNION ALL
SELECT format('position %s is not in the archive, which ends at %s', e.position, log.archived_to)
FROM {schema}.events e, {schema}.log WHERE e.position <= log.archived_to
LIMIT $1
