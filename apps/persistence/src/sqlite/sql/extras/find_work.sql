-- Purpose: an entry of the outbox by its id.
-- Parameters: ?1 id.
-- Zero rows: none waits with it.
-- Index: the unique one on outbox.id.
SELECT number, id, queue, body, due_at, recorded_at FROM outbox WHERE id = ?1
