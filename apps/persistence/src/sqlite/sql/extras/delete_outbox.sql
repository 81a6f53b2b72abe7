-- Purpose: takes an entry out of the outbox.
-- Parameters: ?1 number.
-- Zero rows: always; no row changes when it is not there.
-- Index: primary key of outbox.
DELETE FROM outbox WHERE number = ?1
