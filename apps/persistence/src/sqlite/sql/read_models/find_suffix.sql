-- Purpose: what the generation of a checkpoint appends to its collections' names.
-- Parameters: ?1 checkpoint.
-- Zero rows: it is no generation's: nothing.
-- Index: primary key of checkpoints.
SELECT suffix FROM checkpoints WHERE projection = ?1
