-- Leaves entries in the outbox, in the transaction that wrote the group's events.
-- Parameters: 1 ids, 2 queues, 3 bodies, 4 now. Always one row. Index: outbox_outbox_id_key.
SELECT {schema}.write_outbox($1, $2, $3, $4)
