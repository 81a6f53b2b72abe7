-- Purpose: the rows of one group, in a transaction of their own.
-- Parameters: $1 recorded_at, $2 kind_id; $3.. one array per column. Subjects and binary data are not among them.
-- Zero rows: only for empty arrays. Index: none is read.
INSERT INTO {schema}.floor_group_commit (recorded_at, kind_id, position, stream_id, version, event_id,
    correlation_id, causation_id, data, metadata)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[],
    $7::uuid[], $8::uuid[], $9::json[], $10::json[])
