-- A page of the events of a conversation, or with a cause, that are selected besides; with the log's head, all of one
-- snapshot. The few events of the conversation are found first, then the page among them.
-- {conversation} is a condition on correlation_id, causation_id or both, {sorted} the direction (empty or DESC).
-- Rows come in order because the inner query's do; the reader makes sure of it. Ordering them here once more would sort
-- every page.
-- Parameters: 1 to 7 as in select_range.sql; then those of {conversation}.
-- One row whose position is null: none there. Index: events_by_conversation and archive's like it, events_pkey,
-- archive_pkey.
WITH found AS MATERIALIZED (
    SELECT position, kind_id, recorded_at FROM {schema}.all_events WHERE {conversation}
), page AS MATERIALIZED (
    SELECT position FROM found
    WHERE position BETWEEN $1 AND $2
        AND (($3::text[] IS NULL AND $4::text[] IS NULL)
            OR kind_id = ANY (ARRAY(SELECT k FROM {schema}.kinds_of($3, $4) AS k)))
        AND recorded_at >= coalesce($5::timestamptz, '-infinity')
        AND recorded_at < coalesce($6::timestamptz, 'infinity')
    ORDER BY position {sorted} LIMIT $7
)
SELECT log.position AS head, log.archived_to, {columns}
FROM {schema}.log
LEFT JOIN (page JOIN {schema}.all_events e ON e.position = page.position) ON true
WHERE log.one
