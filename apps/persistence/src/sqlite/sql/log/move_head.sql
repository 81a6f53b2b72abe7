-- Purpose: the log's last position after a group.
-- Parameters: ?1 the position.
-- Zero rows: always.
-- Index: primary key of log.
UPDATE log SET head = ?1 WHERE id = 1
