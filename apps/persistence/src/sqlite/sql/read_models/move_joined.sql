-- Purpose: how far a generation has come that was joined to appends, and whether it still is.
-- Parameters: ?1 checkpoint, ?2 position, ?3 whether it is.
-- Zero rows: always.
-- Index: primary key of checkpoints.
UPDATE checkpoints SET position = ?2, joined = ?3 WHERE projection = ?1
