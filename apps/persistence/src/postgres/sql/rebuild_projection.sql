-- Begins to build a projection anew by the version that serves.
-- Parameters: 1 projection's name. Always one row: 0, or -1 when nothing serves. Index: checkpoints_by_name.
SELECT {schema}.rebuild_projection($1) AS letters
