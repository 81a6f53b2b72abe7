-- Takes a step of a removal, under the log's row lock.
-- Parameters: 1 stream id, 2 from which version, 3 to below which, 4 how many links to what is there.
-- Always one row: how many events and links went, and where the next step begins. Index: events_stream_id_version_key,
-- archive_stream_id_version_key, links_by_position, links_pkey.
SELECT events, links, next_version FROM {schema}.remove_step($1, $2, $3, $4)
