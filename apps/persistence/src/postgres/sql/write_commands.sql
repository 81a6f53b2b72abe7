-- Records commands, in the transaction that wrote the group's events.
-- Parameters: 1 command ids, 2 replies, 3 number of the group's events up to the command's last (null: it has
--   none), 4 the position before the group's first event counted from its end: the group's number of events, 5 now, 6 which of them are kept for good.
-- A unique violation when one was recorded before. Index: commands_pkey.
INSERT INTO {schema}.commands (command_id, reply, last_position, recorded_at, for_good)
SELECT command_id, reply, log.position - $4 + last_offset, $5, command_id = ANY ($6)
FROM {schema}.log, unnest($1::uuid[], $2::json[], $3::bigint[]) AS new (command_id, reply, last_offset)
