-- How many versions streams have lost to acts of upkeep, by what they count.
-- Parameters: 1 and 2 the stream ids to look at, behind the one up to the other. Always one row. Index: streams_pkey.
SELECT least(coalesce(sum(removed), 0), 9223372036854775807)::bigint AS versions FROM {schema}.streams
WHERE stream_id > $1::text::bigint AND stream_id <= $2::text::bigint
