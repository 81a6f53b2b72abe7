-- Purpose: the generations of a projection, in their order.
-- Parameters: ?1 projection's name.
-- Zero rows: it was never opened.
-- Index: checkpoints_by_name.
SELECT name, version, run, phase, position, live_after, suffix, collections, indexes, inline, joined
FROM checkpoints
WHERE name = ?1
ORDER BY name, version, run
