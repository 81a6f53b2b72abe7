-- Rule: every span that the log has passed and that holds events has its row, whose times take in those of the events; after
-- a removal they may be wider.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other, both ends of
-- spans. No row: it holds. Index: events_pkey, archive_pkey; spans_pkey.
SELECT format('the events at positions %s to %s were recorded between %s and %s, and their span ', held.first_position,
    held.first_position + 4095, held.earliest, held.latest) || CASE
        WHEN s.first_position IS NULL THEN 'is missing'
        ELSE format('says between %s and %s', s.min_recorded_at, s.max_recorded_at)
    END AS what
FROM (
    SELECT (position - 1) / 4096 * 4096 + 1 AS first_position, min(recorded_at) AS earliest, max(recorded_at) AS latest
    FROM {schema}.all_events
    WHERE position > $2::text::bigint AND position <= $3::text::bigint
        AND position <= (SELECT max(position) / 4096 * 4096 FROM {schema}.log)
    GROUP BY 1
) held
LEFT JOIN {schema}.spans s ON s.first_position = held.first_position
    AND s.first_position > $2::text::bigint AND s.first_position <= $3::text::bigint
WHERE s.first_position IS NULL OR s.min_recorded_at > held.earliest OR s.max_recorded_at < held.latest
LIMIT $1
