-- Purpose: a checkpoint with what is kept of its generation.
-- Parameters: ?1 checkpoint.
-- Zero rows: it never ran.
-- Index: primary key of checkpoints.
SELECT name, version, run, phase, position, live_after, suffix, collections, indexes, inline, joined FROM checkpoints WHERE projection = ?1
