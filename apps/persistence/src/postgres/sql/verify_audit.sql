-- What the audit says was removed for good, by so many of its records: events, by those that tell of events; and versions
-- of streams, by those that tell of events and links.
-- Parameters: 1 behind which of its versions, 2 how many records. One row whose `upto` is null: there are no more.
-- Index: streams_name_key; events_stream_id_version_key and archive_stream_id_version_key, in their order.
SELECT max(version)::text AS upto, count(*) AS rows,
    least(coalesce(sum(CASE WHEN data->>'events' ~ '^\d{1,18}$' THEN (data->>'events')::bigint END), 0),
        9223372036854775807)::bigint AS events,
    least(coalesce(sum(CASE WHEN data->>'events' ~ '^\d{1,18}$' AND data->>'links' ~ '^\d{1,18}$'
        THEN (data->>'events')::bigint + (data->>'links')::bigint END), 0), 9223372036854775807)::bigint AS versions
FROM (
    SELECT version, CASE WHEN data->>'removal' = 'hard' THEN data END AS data
    FROM {schema}.all_events
    WHERE stream_id = (SELECT stream_id FROM {schema}.streams WHERE name = '$audit') AND version > $1::text::bigint
    ORDER BY version LIMIT $2
) step
