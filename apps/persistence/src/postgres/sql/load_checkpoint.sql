-- Where a projection stands.
-- Parameters: 1 projection. No row: it never ran. Index: checkpoints_pkey.
SELECT position FROM {schema}.checkpoints WHERE projection = $1
