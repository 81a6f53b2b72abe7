-- Purpose: where the archive ends.
-- Parameters: ?1 the last position.
-- Zero rows: always.
-- Index: primary key of log.
UPDATE log SET archived_to = max(archived_to, ?1) WHERE id = 1
