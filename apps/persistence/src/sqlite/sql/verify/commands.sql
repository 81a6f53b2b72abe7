-- Purpose: finds commands whose position is not in the log, or whose reply or id nobody can read.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; every command is looked at.
SELECT 'command ' || lower(hex(command_id)) || CASE
    WHEN length(command_id) <> 16 THEN ' has an id that is none'
    WHEN json_valid(reply) = 0 THEN ' has a reply that is no JSON'
    ELSE ' was recorded at position ' || last_position || ', the log ends at ' || (SELECT head FROM log)
END
FROM commands WHERE last_position NOT BETWEEN 1 AND (SELECT head FROM log) OR json_valid(reply) = 0
    OR length(command_id) <> 16
LIMIT ?1
