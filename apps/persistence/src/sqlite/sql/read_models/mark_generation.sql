-- Purpose: says what a generation is there for.
-- Parameters: ?1 checkpoint, ?2 phase.
-- Zero rows: always.
-- Index: primary key of checkpoints.
UPDATE checkpoints SET phase = ?2 WHERE projection = ?1
