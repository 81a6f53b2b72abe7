-- Purpose: one event of a group.
-- Parameters: ?1 position, ?2 stream_id, ?3 version, ?4 event_id, ?5 kind_id, ?6 recorded_at, ?7 correlation_id or null,
--   ?8 causation_id or null, ?9 subject or null, ?10 tags as a JSON list or null, ?11 metadata or null,
--   ?12 JSON or null, ?13 bytes or null.
-- Zero rows: always; an event_id that is in the log already is a unique violation, after which the transaction is given up.
-- Index: primary key, (stream_id, version) and event_id of events.
INSERT OR FAIL INTO events (position, stream_id, version, event_id, kind_id, recorded_at,
                    correlation_id, causation_id, subject, tags, metadata, data, bytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
