-- Where a step through the ids of events ends: behind so many of them.
-- Parameters: 1 where the step before ended, 2 how many. No row: there are no more. Index: events_event_id_key and
-- archive_event_id_key, in their order.
SELECT event_id::text AS upto, count(*) OVER () AS rows
FROM (SELECT event_id FROM {schema}.all_events WHERE event_id > $1::text::uuid ORDER BY event_id LIMIT $2) step
ORDER BY event_id DESC LIMIT 1
