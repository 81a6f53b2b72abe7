-- Purpose: keeps what is being removed.
-- Parameters: ?1 stream_id, ?2 the act's id, ?3 its request as JSON, ?4 the first version that there is something at, ?5 the first to
--   keep.
-- Zero rows: always.
-- Index: primary key of removals.
INSERT INTO removals (stream_id, act_id, request, next_version, before_version) VALUES (?1, ?2, ?3, ?4, ?5)
