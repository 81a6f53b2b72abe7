-- The first replies to these commands.
-- Parameters: 1 command ids. A command without a row was never recorded. Index: commands_pkey.
SELECT command_id, reply, last_position FROM {schema}.commands WHERE command_id = ANY ($1)
