-- Purpose: where a projection stands after its documents were written.
-- Parameters: ?1 projection, ?2 position.
-- Zero rows: always.
-- Index: primary key of checkpoints.
INSERT INTO checkpoints (projection, position) VALUES (?1, ?2)
ON CONFLICT (projection) DO UPDATE SET position = excluded.position
