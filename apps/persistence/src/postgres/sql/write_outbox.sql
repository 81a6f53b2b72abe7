-- Takes entries that are done out of the outbox and leaves others, in the transaction that wrote the group's events.
-- Parameters: 1 ids of what is done; of each that is left 2 ids, 3 queues, 4 bodies, 5 when they are due; 6 now. Always one row. Index: outbox_outbox_id_key.
SELECT {schema}.write_outbox($1, $2, $3, $4, $5, $6)
