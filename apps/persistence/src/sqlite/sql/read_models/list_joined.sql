-- Purpose: the generations that are joined to appends.
-- Parameters: none.
-- Zero rows: none is.
-- Index: checkpoints_joined.
SELECT projection, suffix, inline FROM checkpoints WHERE joined = 1
