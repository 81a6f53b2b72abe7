-- Rule: a removal that is under way is of a stream that is there, and of versions from 1 to the first one that it shows; it
-- can be carried on.
-- Parameters: 1 how many findings at most. No row: it holds. Index: streams_pkey.
SELECT format('act %s removes versions %s to below %s of stream ', r.act_id, r.next_version, r.before_version) || CASE
        WHEN s.stream_id IS NULL THEN format('%s, which is not known', r.stream_id)
        ELSE format('%s, which is shown from %s', s.name, s.first_version)
    END AS what
FROM {schema}.removals r LEFT JOIN {schema}.streams s USING (stream_id)
WHERE s.stream_id IS NULL OR NOT (1 <= r.next_version AND r.next_version <= r.before_version AND r.before_version <= s.first_version)
UNION ALL
SELECT format('act %s was asked for by JSON of type %s and has taken %s events and %s links', act_id, json_typeof(request), events, links)
FROM {schema}.removals WHERE json_typeof(request) <> 'object' OR events < 0 OR links < 0
LIMIT $1
