-- Purpose: finds commands recorded beyond the head.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every command is looked at.
SELECT 'command ' || lower(hex(command_id)) || ' was recorded at position ' || last_position || ', beyond the head, '
    || (SELECT head FROM log)
FROM commands WHERE last_position > (SELECT head FROM log)
LIMIT ?1
