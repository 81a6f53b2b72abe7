-- Purpose: remembers a command and its reply.
-- Parameters: ?1 command_id, ?2 reply, ?3 position of its last event or null, ?4 recorded_at, ?5 whether it is kept for good.
-- Zero rows: always.
-- Index: primary key of commands.
INSERT INTO commands (command_id, reply, last_position, recorded_at, for_good) VALUES (?1, ?2, ?3, ?4, ?5)
