-- Purpose: events at known positions with all their columns.
-- Parameters: 1 the positions. Zero rows: none is there. Index: events_pkey.
SELECT * FROM {schema}.events WHERE position = ANY ($1::bigint[]) ORDER BY position
