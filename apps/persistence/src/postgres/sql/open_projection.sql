-- Makes the generation that a version of a projection's rule needs, unless it is there or a newer version serves.
-- Parameters: 1 projection's name, 2 version, 3 collections, 4 their indexes, 5 statements that create its tables,
--   6 events that appends may project.
-- Always one row. Index: checkpoints_by_name.
SELECT {schema}.open_projection($1, $2, $3, $4, $5, $6)
