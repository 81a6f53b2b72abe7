-- Claims events for a projection's hook.
-- Parameters: 1 projection's name, 2 up to where. Always one row: up to where they were claimed before. Index: checkpoints_pkey.
SELECT {schema}.claim_live($1, $2) AS before
