-- Rule: of every span that the log has passed, all events are listed by their kinds.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other, both ends of
-- spans. No row: it holds. Index: events_pkey, archive_pkey; span_kinds_pkey.
SELECT format('the events of kind %s at positions %s to %s are listed as %s instead of %s', kind_id, first_position, first_position + 4095,
    coalesce(cardinality(listed), 0), cardinality(places)) || CASE
    WHEN difference IS NULL THEN ', in another order'
    WHEN difference = ANY (places) THEN '; the first that is left out is at position ' || (first_position + difference)
    ELSE '; the first that is none of them is at position ' || (first_position + difference)
END AS what
FROM (
    SELECT held.*, s.places AS listed, (
        -- A list of them all could be long.
        SELECT min(place) FROM (
            (SELECT unnest(held.places) EXCEPT SELECT unnest(s.places)) UNION ALL
            (SELECT unnest(s.places) EXCEPT SELECT unnest(held.places))
        ) AS either (place)
    ) AS difference
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
) wrong
