-- Moves events to the archive, under the log's row lock.
-- Parameters: 1 the last position to move.
-- Always one row: how many events and links went. Index: events_pkey.
SELECT events, links FROM {schema}.archive_events($1)
