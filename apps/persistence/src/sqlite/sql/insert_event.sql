-- Purpose: one event of a group.
-- Parameters: ?1 position, ?2 stream_id, ?3 version, ?4 event_id, ?5 type, ?6 schema, ?7 recorded_at,
--   ?8 correlation_id or null, ?9 causation_id or null, ?10 data, ?11 metadata or null.
-- Zero rows: always; an event_id that is in the log already is a unique violation.
-- Index: primary key, (stream_id, version) and event_id of events.
INSERT INTO events (position, stream_id, version, event_id, type, schema, recorded_at,
                    correlation_id, causation_id, data, metadata)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
