-- Purpose: the generations of all projections, by name, in their order.
-- Parameters: none.
-- Zero rows: no projection was ever opened.
-- Index: checkpoints_by_name.
SELECT name, version, run, phase, position, live_after, suffix, collections, indexes, inline, joined
FROM checkpoints
WHERE name > ''
ORDER BY name, version, run
