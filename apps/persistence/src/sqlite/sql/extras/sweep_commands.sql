-- Purpose: forgets some recorded commands, the oldest first.
-- Parameters: ?1 the moment before which they were recorded, ?2 how many at most.
-- Zero rows: always.
-- Index: commands_by_time, and the primary key of commands.
DELETE FROM commands
WHERE command_id IN (
    SELECT command_id FROM commands WHERE recorded_at < ?1 AND NOT for_good ORDER BY recorded_at LIMIT ?2
)
