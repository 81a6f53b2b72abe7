-- Retires all that there is of a projection.
-- Parameters: 1 projection's name. Always one row: 0, or -1 when nothing of it is left. Index: checkpoints_by_name.
SELECT {schema}.drop_projection($1) AS letters
