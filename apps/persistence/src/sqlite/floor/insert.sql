-- Purpose: one row of a group.
-- Parameters: one per column. Zero rows: always. Index: none is read.
INSERT INTO floor_group_commit (position, stream_id, version, event_id, kind_id, recorded_at, correlation_id,
                                causation_id, subject, metadata, data, bytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
