-- Rule: a recorded command's position is in the log.
-- Parameters: 1 how many findings at most, 2 and 3 the ids to look at, behind the one up to the other. No row: it holds.
-- Index: commands_pkey.
SELECT format('command %s stored up to position %s, the log ends at %s', c.command_id, c.last_position, log.position)
    AS what
FROM {schema}.commands c, {schema}.log
WHERE c.command_id > $2::text::uuid AND c.command_id <= $3::text::uuid AND c.last_position NOT BETWEEN 1 AND log.position
LIMIT $1
