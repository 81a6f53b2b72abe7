-- A page of the events of some kinds, with the log's head and how many kinds there are, all of one snapshot. Positions first,
-- rows after: those of the spans that the log has passed are listed by kind, those behind are looked at one by one. As many
-- spans are opened as hold a page, counting what lies wholly between the first position and the last. The more kinds there are, the
-- fewer spans of each are looked up; where there are more of one, the page ends with the last span that is known of all.
-- Of more kinds than parameter 5 it returns no event.
-- {events} is events, or all_events when the page reaches into the archive; {sorted} the direction (empty or DESC), in which {nearest} and
-- {farthest} are min and max or the other way round, and {nearer} is least or greatest; {open} when the events behind the last span are looked at: forward when the
-- listed ones are not enough and all are known, backward always.
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 the first position, 2 the last, 3 names of types, 4 categories (null: do not restrict),
--   5 how many kinds at most, 6 how many events at most, 7 how many rows of spans at most, or one of each kind.
-- One row: none there. Index: span_kinds_pkey, events_pkey, archive_pkey.
WITH wanted AS MATERIALIZED (
    SELECT k AS kind_id FROM {schema}.kinds_of($3, $4) AS k LIMIT $5::bigint + 1
), room AS MATERIALIZED (
    SELECT least($6::bigint + 1, greatest($7::bigint / greatest(count(*), 1), 1)) AS spans FROM wanted
), known AS MATERIALIZED (
    SELECT s.first_position, s.kind_id, s.events
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.span_kinds s
        WHERE s.kind_id = w.kind_id AND s.first_position BETWEEN $1::bigint - 4095 AND $2
        ORDER BY s.first_position {sorted} LIMIT (SELECT spans FROM room)
    ) s
    WHERE (SELECT count(*) FROM wanted) <= $5
), cut AS MATERIALIZED (
    SELECT {nearest}(last) AS first_position
    FROM (
        SELECT {farthest}(first_position) AS last FROM known
        GROUP BY kind_id HAVING count(*) = (SELECT spans FROM room)
    ) ended
    WHERE (SELECT spans FROM room) <= $6
), span AS MATERIALIZED (
    SELECT first_position, kinds,
        coalesce(sum(events) OVER (ORDER BY first_position {sorted} ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0) AS before
    FROM (
        SELECT s.first_position, array_agg(s.kind_id) AS kinds,
            CASE WHEN s.first_position >= $1 AND s.first_position + 4095 <= $2 THEN sum(s.events) ELSE 0 END AS events
        FROM known s, cut
        WHERE s.first_position = {nearer}(s.first_position, cut.first_position)
        GROUP BY s.first_position
    ) held
), listed AS MATERIALIZED (
    SELECT s.first_position + place AS position
    FROM span
    CROSS JOIN LATERAL unnest(span.kinds) AS kind (kind_id)
    JOIN {schema}.span_kinds s ON s.kind_id = kind.kind_id AND s.first_position = span.first_position
    CROSS JOIN LATERAL unnest(s.places) AS place
    WHERE span.before < $6 AND s.first_position + place BETWEEN $1 AND $2
    ORDER BY 1 {sorted} LIMIT $6
), page AS MATERIALIZED (
    SELECT position FROM (
        SELECT position FROM listed
        UNION ALL
        (
            SELECT i.position FROM {schema}.{events} i
            WHERE {open} AND (SELECT count(*) FROM wanted) <= $5
                AND i.position BETWEEN greatest($1, (SELECT l.position / 4096 * 4096 + 1 FROM {schema}.log l WHERE l.one)) AND $2
                AND i.kind_id = ANY (ARRAY(SELECT kind_id FROM wanted))
            ORDER BY i.position {sorted} LIMIT $6
        )
    ) found
    ORDER BY position {sorted} LIMIT $6
)
SELECT log.position AS head, log.archived_to, {no_event}, (SELECT count(*) FROM wanted) AS kinds,
    (SELECT first_position FROM cut) AS cut
FROM {schema}.log WHERE log.one
UNION ALL
SELECT NULL, NULL, {columns}, NULL, NULL FROM page JOIN {schema}.{events} e ON e.position = page.position
