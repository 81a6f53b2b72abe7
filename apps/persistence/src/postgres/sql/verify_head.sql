-- The position of the last event: verifying goes as far as this, whatever is appended meanwhile.
-- No parameters. Always one row. Index: events_pkey and archive_pkey, read backwards.
SELECT coalesce(max(position), 0) AS head FROM {schema}.all_events
