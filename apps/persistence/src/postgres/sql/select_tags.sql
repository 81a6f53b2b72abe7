-- A page of the events that a query by tags is about, and that are selected besides; with the log's head and where the page
-- must end because there were more candidates, all of one snapshot. Candidates are the events with the rarest tag of each item, so
-- many of each at most. Of an item that has more, the page knows nothing behind its last candidate.
-- {conversation} is a condition on correlation_id, causation_id or both, or true; {sorted} the direction (empty or DESC), {last}
-- accordingly max or min, {first} the other one, {before} <= or >=.
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 to 7 as in select_range.sql, 8 tags and 9 names of items, a line for each (null: any name), 10 how many
--   candidates of each at most; then those of {conversation}.
-- One row: none there. Index: event_tags_pkey, events_pkey, archive_pkey.
WITH item AS MATERIALIZED (
    SELECT string_to_array({schema}.rarest_first(tags, $1, $2), E'\n') AS tags, names IS NULL AS any_name,
        ARRAY(SELECT {schema}.kinds_of(string_to_array(names, E'\n'), NULL)) AS kinds, number
    FROM unnest($8::text[], $9::text[]) WITH ORDINALITY AS given (tags, names, number)
), candidate AS MATERIALIZED (
    SELECT item.number, found.position, item.any_name OR found.kind_id = ANY (item.kinds) AS is_named, item.tags
    FROM item CROSS JOIN LATERAL (
        SELECT t.position, t.kind_id FROM {schema}.event_tags t
        WHERE t.tag = item.tags[1] AND t.position BETWEEN $1 AND $2
        ORDER BY t.position {sorted} LIMIT $10
    ) found
), edge AS MATERIALIZED (
    SELECT {first}(ends.position) AS position FROM (
        SELECT {last}(position) AS position FROM candidate GROUP BY number HAVING count(*) >= $10
    ) ends
), page AS MATERIALIZED (
    SELECT e.position FROM (
        SELECT DISTINCT c.position FROM candidate c, edge
        WHERE c.is_named AND (edge.position IS NULL OR c.position {before} edge.position)
            AND NOT EXISTS (
                SELECT FROM unnest(c.tags[2:]) AS other (tag)
                WHERE NOT EXISTS (
                    SELECT FROM {schema}.event_tags o WHERE o.tag = other.tag AND o.position = c.position
                )
            )
        ORDER BY c.position {sorted}
    ) tagged
    JOIN {schema}.all_events e ON e.position = tagged.position
    WHERE {conversation}
        AND (($3::text[] IS NULL AND $4::text[] IS NULL)
            OR e.kind_id = ANY (ARRAY(SELECT k FROM {schema}.kinds_of($3, $4) AS k)))
        AND e.recorded_at >= coalesce($5::timestamptz, '-infinity')
        AND e.recorded_at < coalesce($6::timestamptz, 'infinity')
    ORDER BY e.position {sorted} LIMIT $7
)
SELECT log.position AS head, log.archived_to, {no_event}, (SELECT position FROM edge) AS edge
FROM {schema}.log WHERE log.one
UNION ALL
SELECT NULL, NULL, {columns}, NULL FROM page JOIN {schema}.all_events e ON e.position = page.position
