-- The generations that are joined to appends.
-- No parameters. No row: none is. Index: checkpoints_joined.
SELECT projection, suffix, inline FROM {schema}.checkpoints WHERE joined
