-- Where a step through the places in streams ends, those of their own events and of their links: behind so many. A stream
-- counts as a place before its first, so that one without any is come to.
-- Parameters: 1 where the step before ended, stream and version as a list of JSON, 2 how many. No row: there are no more.
-- Index: events_stream_id_version_key, archive_stream_id_version_key, links_pkey and streams_pkey, each in its order.
SELECT json_build_array(stream_id, version)::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT stream_id, version
    FROM (
        (SELECT stream_id, version FROM {schema}.events
            WHERE (stream_id, version) > (($1::text::json->>0)::bigint, ($1::text::json->>1)::bigint)
            ORDER BY stream_id, version LIMIT $2)
        UNION ALL
        (SELECT stream_id, version FROM {schema}.archive
            WHERE (stream_id, version) > (($1::text::json->>0)::bigint, ($1::text::json->>1)::bigint)
            ORDER BY stream_id, version LIMIT $2)
        UNION ALL
        (SELECT stream_id, version FROM {schema}.links
            WHERE (stream_id, version) > (($1::text::json->>0)::bigint, ($1::text::json->>1)::bigint)
            ORDER BY stream_id, version LIMIT $2)
        UNION ALL
        (SELECT stream_id, (-9223372036854775808)::bigint FROM {schema}.streams
            WHERE stream_id > ($1::text::json->>0)::bigint
            ORDER BY stream_id LIMIT $2)
    ) place (stream_id, version)
    ORDER BY stream_id, version LIMIT $2
) step
ORDER BY stream_id DESC, version DESC LIMIT 1
