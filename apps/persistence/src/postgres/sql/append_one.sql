-- Writes the only event of a group, whose stream and kind the writer knows: as append_known, but without arrays, which cost a
-- single event more than all the rest. So whoever appends alone waits for little more than a bare insert.
-- Parameters: 1 revision, 2 now, 3 stream id, 4 version, 5 id, 6 kind, 7 correlation id, 8 causation id, 9 subject, 10 JSON data,
--   11 binary data, 12 metadata.
-- One row: the position before the event's. No row, and nothing done, when this is no usual case; see append_known.
-- Index: log_pkey, archive_event_id_key.
WITH log AS (
    UPDATE {schema}.log SET position = position + 1
    WHERE one AND revision = $1 AND (position + 1) / 4096 = position / 4096
        AND (archived_to = 0 OR NOT EXISTS (SELECT FROM {schema}.archive WHERE event_id = $5))
    RETURNING position
)
INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id,
    correlation_id, causation_id, subject, data, bytes, metadata)
SELECT position, $3, $4, $2, $6, $5, $7, $8, $9, $10, $11, $12 FROM log
RETURNING position - 1 AS base_position
