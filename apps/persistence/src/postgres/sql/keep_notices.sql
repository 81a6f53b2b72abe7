-- Keeps notices, all or none; one whose id is kept already is left as it is.
-- Parameters, one of each for a notice: 1 ids, 2 topics, 3 transactions, 4 sources, 5 when what they tell of began,
--   6 when it happened, 7 when they expire, 8 data.
-- One row for each that is new. Index: notices_pkey.
INSERT INTO {schema}.notices (notice_id, topic, transaction_id, source, initialized_at, occurred_at, expires_at, data)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::json[])
ON CONFLICT (notice_id) DO NOTHING
RETURNING notice_id
