-- Lets the generation of a checkpoint serve readers.
-- Parameters: 1 checkpoint, 2 where it must stand. One row: nulls when it serves, else why not; see migrations/0003_documents.sql.
-- Index: checkpoints_pkey, checkpoints_by_name, served_pkey.
SELECT moved, behind FROM {schema}.switch_projection($1, $2)
