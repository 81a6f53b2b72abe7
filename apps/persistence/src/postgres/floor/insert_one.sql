-- Purpose: one row, in a transaction of its own.
-- Parameters: one per column but subject and bytes. Zero rows: never. Index: none is read.
INSERT INTO {schema}.floor_single_row (recorded_at, kind_id, position, stream_id, version, event_id,
    correlation_id, causation_id, data, metadata)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
