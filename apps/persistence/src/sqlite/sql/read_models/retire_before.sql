-- Purpose: retires the generations of a projection that one takes the place of.
-- Parameters: ?1 name, ?2 version, ?3 run.
-- Zero rows: always.
-- Index: checkpoints_by_name.
UPDATE checkpoints SET phase = 'retired', joined = 0
WHERE name = ?1 AND phase IN ('serving', 'building') AND (version, run) < (?2, ?3)
