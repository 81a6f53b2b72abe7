-- Purpose: the first reply to a command and the position of its last event.
-- Parameters: ?1 command_id.
-- Zero rows: it was not carried out yet.
-- Index: primary key of commands.
SELECT reply, last_position FROM commands WHERE command_id = ?1
