-- Takes entries that are done out of the outbox.
-- Parameters: 1 their numbers. One row for each that was there. Index: outbox_pkey.
DELETE FROM {schema}.outbox WHERE number = ANY ($1) RETURNING number
