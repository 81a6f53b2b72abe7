-- Purpose: where a projection stands.
-- Parameters: ?1 projection.
-- Zero rows: it never ran: the start.
-- Index: primary key of checkpoints.
SELECT position FROM checkpoints WHERE projection = ?1
