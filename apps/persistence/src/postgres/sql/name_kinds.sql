-- The types of kinds.
-- Parameters: 1 kind ids. Every id that an event has is there. Index: kinds_pkey.
SELECT kind_id, type, schema FROM {schema}.kinds WHERE kind_id = ANY ($1)
