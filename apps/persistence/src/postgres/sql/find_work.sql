-- An entry of the outbox by its id.
-- Parameters: 1 id. No row: none waits with it. Index: outbox_outbox_id_key.
SELECT number, outbox_id, queue, body, due_at, recorded_at FROM {schema}.outbox WHERE outbox_id = $1
