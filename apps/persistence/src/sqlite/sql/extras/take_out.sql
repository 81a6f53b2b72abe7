-- Purpose: takes an entry that is done out of the outbox.
-- Parameters: ?1 id.
-- Zero rows: always; no row changes when it is not there.
-- Index: the unique one on outbox.id.
DELETE FROM outbox WHERE id = ?1
