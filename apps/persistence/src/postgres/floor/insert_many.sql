-- Purpose: the rows of one group, in a transaction of their own.
-- Parameters: $1 recorded_at; $2.. one array per column.
-- Zero rows: only for empty arrays. Index: none is read.
INSERT INTO {schema}.floor_group_commit (recorded_at, position, stream_id, version, event_id, type, schema,
    correlation_id, causation_id, data, metadata)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[], $7::int[],
    $8::uuid[], $9::uuid[], $10::json[], $11::json[])
