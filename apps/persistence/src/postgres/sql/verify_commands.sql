-- Rule: a recorded command's position is in the log.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at every command.
SELECT format('command %s stored up to position %s, the log ends at %s', c.command_id, c.last_position, log.position)
    AS what
FROM {schema}.commands c, {schema}.log WHERE c.last_position NOT BETWEEN 1 AND log.position
LIMIT $1
