-- A page of the events of a conversation, or with a cause, that are selected besides; with the log's head and whether
-- there were too many candidates, all of one snapshot. The events of the conversation are found first, then the page
-- among them. Of more candidates than parameter 8 it returns no event: the reader asks for a shorter part of the log then.
-- {conversation} is a condition on correlation_id, causation_id or both, {sorted} the direction (empty or DESC).
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 to 7 as in select_range.sql, 8 how many candidates at most; then those of {conversation}.
-- One row: none there. Index: events_by_conversation and archive's like it, events_pkey,
-- archive_pkey.
WITH found AS MATERIALIZED (
    SELECT position, kind_id, recorded_at FROM {schema}.all_events
    WHERE {conversation} AND -position BETWEEN -($2::bigint) AND -($1::bigint)
    LIMIT $8::bigint + 1
), page AS MATERIALIZED (
    SELECT position FROM found
    WHERE (SELECT count(*) FROM found) <= $8
        AND (($3::text[] IS NULL AND $4::text[] IS NULL)
            OR kind_id = ANY (ARRAY(SELECT k FROM {schema}.kinds_of($3, $4) AS k)))
        AND recorded_at >= coalesce($5::timestamptz, '-infinity')
        AND recorded_at < coalesce($6::timestamptz, 'infinity')
    ORDER BY position {sorted} LIMIT $7
)
SELECT log.position AS head, log.archived_to, {no_event}, (SELECT count(*) FROM found) > $8 AS too_many
FROM {schema}.log WHERE log.one
UNION ALL
SELECT NULL, NULL, {columns}, NULL FROM page JOIN {schema}.all_events e ON e.position = page.position
