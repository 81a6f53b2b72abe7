-- Rule: of every span that the log has passed, all events are listed by their kinds.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other, both ends of
-- spans. No row: it holds. Index: events_pkey, archive_pkey; span_kinds_pkey.
SELECT format('the events of kind %s at positions %s to %s are listed as %s at %s', held.kind_id, held.first_position,
    held.first_position + 4095, coalesce(s.events, 0), coalesce(s.places::text, 'none')) AS what
FROM (
    SELECT (position - 1) / 4096 * 4096 + 1 AS first_position, kind_id,
        array_agg(((position - 1) % 4096)::smallint ORDER BY position) AS places
    FROM {schema}.all_events
    WHERE position > $2::text::bigint AND position <= $3::text::bigint
        AND position <= (SELECT max(position) / 4096 * 4096 FROM {schema}.log)
    GROUP BY 1, 2
) held
LEFT JOIN {schema}.span_kinds s ON s.kind_id = held.kind_id AND s.first_position = held.first_position
WHERE s.places IS DISTINCT FROM held.places
LIMIT $1
