-- Moves a checkpoint, empties collections and writes documents, all or nothing.
-- Parameters: 1 projection, 2 expected, 3 new position, 4 collections to empty; the rest as in write_documents.sql.
-- One row: null, or where the checkpoint stands when that is not where it was expected. Index: checkpoints_pkey.
SELECT {schema}.save_projection($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
