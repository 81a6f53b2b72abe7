-- Purpose: leaves an entry in the outbox, unless it waits there already.
-- Parameters: ?1 id, ?2 queue, ?3 body, ?4 due_at, ?5 recorded_at.
-- Zero rows: always.
-- Index: the unique one on outbox.id, and outbox_by_queue and outbox_by_due.
INSERT INTO outbox (id, queue, body, due_at, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING
