-- Forgets some recorded commands, the oldest first; passes over those that somebody else is removing.
-- Parameters: 1 the moment before which they were recorded, 2 how many at most. Always one row: how many were removed.
-- Index: commands_by_time, commands_pkey.
WITH old AS MATERIALIZED (
    SELECT command_id FROM {schema}.commands WHERE recorded_at < $1 AND NOT for_good
    ORDER BY recorded_at LIMIT $2
    FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM {schema}.commands c USING old WHERE c.command_id = old.command_id
    RETURNING 1
)
SELECT count(*) AS removed FROM removed
