-- How many events there are, archived or not.
-- Parameters: 1 and 2 the positions to look at, behind the one up to the other. Always one row.
-- Index: events_pkey, archive_pkey.
SELECT count(*) AS count FROM {schema}.all_events WHERE position > $1::text::bigint AND position <= $2::text::bigint
