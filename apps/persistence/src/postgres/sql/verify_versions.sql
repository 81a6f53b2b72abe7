-- Rule: versions of a stream run from 1, or from what was left of it, without a gap while nothing but its own events
-- says its version; links included, no version is there twice.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at everything.
SELECT format('stream %s: %s events stand at versions %s to %s, reading begins at %s',
    s.name, held.count, held.first, held.last, s.first_version) AS what
FROM (
    SELECT stream_id, min(version) AS first, max(version) AS last, count(*) AS count
    FROM {schema}.all_events GROUP BY stream_id
) held
JOIN {schema}.streams s USING (stream_id)
WHERE held.first < 1
    OR (s.plain AND (held.first > s.first_version OR held.last - held.first + 1 <> held.count))
UNION ALL
SELECT format('stream %s: version %s is there %s times', coalesce(s.name, 'with id ' || held.stream_id), held.version,
    held.count)
FROM (
    SELECT stream_id, version, count(*) AS count
    FROM (
        SELECT stream_id, version FROM {schema}.all_events UNION ALL SELECT stream_id, version FROM {schema}.links
    ) place
    GROUP BY stream_id, version HAVING count(*) > 1
) held
LEFT JOIN {schema}.streams s USING (stream_id)
UNION ALL
SELECT format('stream %s holds links and is not marked so', s.name)
FROM {schema}.streams s
WHERE s.plain AND EXISTS (SELECT FROM {schema}.links l WHERE l.stream_id = s.stream_id)
LIMIT $1
