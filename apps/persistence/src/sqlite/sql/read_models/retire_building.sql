-- Purpose: retires what a rebuild of a projection by a version of its rule has built so far.
-- Parameters: ?1 name, ?2 version.
-- Zero rows: always.
-- Index: checkpoints_by_name.
UPDATE checkpoints SET phase = 'retired' WHERE name = ?1 AND version = ?2 AND phase = 'building'
