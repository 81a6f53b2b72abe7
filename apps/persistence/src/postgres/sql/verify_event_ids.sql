-- Rule: an event id is in the log once, archive included.
-- Parameters: 1 how many findings at most, 2 and 3 the ids to look at, behind the one up to the other. No row: it holds.
-- Index: events_event_id_key, archive_event_id_key.
SELECT format('event %s is at positions %s', twice.event_id, (
    SELECT string_agg(position::text, ', ' ORDER BY position) FROM {schema}.all_events e WHERE e.event_id = twice.event_id
)) AS what
FROM (
    SELECT event_id FROM {schema}.all_events
    WHERE event_id > $2::text::uuid AND event_id <= $3::text::uuid
    GROUP BY event_id HAVING count(*) > 1
) twice
LIMIT $1
