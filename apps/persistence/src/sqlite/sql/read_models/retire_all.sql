-- Purpose: retires all generations of a projection.
-- Parameters: ?1 name.
-- Zero rows: always; none changes when there are none, or all are retired.
-- Index: checkpoints_by_name.
UPDATE checkpoints SET phase = 'retired', joined = 0 WHERE name = ?1 AND phase IN ('serving', 'building')
