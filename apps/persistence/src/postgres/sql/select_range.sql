-- Events of a range of the log that are selected, looking at each event of the range until there are enough; with the
-- log's head, all of one snapshot.
-- {events} is events, or all_events when the range reaches into the archive; {sorted} the direction (empty or DESC);
-- {conversation} a condition on correlation_id, causation_id or both, or true.
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 the first position, 2 the last, 3 names of types, 4 categories, 5 recorded from, 6 recorded before
--   (each of them null when it does not restrict), 7 how many at most; then those of
--   {conversation}.
-- One row: none there. Index: events_pkey, archive_pkey.
SELECT log.position AS head, log.archived_to, {no_event} FROM {schema}.log WHERE log.one
UNION ALL (
    SELECT NULL, NULL, {columns} FROM {schema}.{events} e
    WHERE position BETWEEN $1 AND $2 AND {conversation}
        AND (($3::text[] IS NULL AND $4::text[] IS NULL)
            OR kind_id = ANY (ARRAY(SELECT k FROM {schema}.kinds_of($3, $4) AS k)))
        AND recorded_at >= coalesce($5::timestamptz, '-infinity')
        AND recorded_at < coalesce($6::timestamptz, 'infinity')
    ORDER BY position {sorted} LIMIT $7
)
