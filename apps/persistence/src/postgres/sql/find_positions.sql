-- Which of these positions still have an event, archived or not.
-- Parameters: 1 positions. No row: all of them were removed. Index: events_pkey, archive_pkey.
SELECT position FROM {schema}.all_events WHERE position = ANY ($1) ORDER BY position
