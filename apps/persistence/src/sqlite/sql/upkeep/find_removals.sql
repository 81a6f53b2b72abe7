-- Purpose: what is being removed of a stream, or under the id of an act, and how far that has come.
-- Parameters: ?1 stream_id, null is none, ?2 the act's id.
-- Zero rows: nothing.
-- Index: primary key of removals, and the unique one on act_id.
SELECT request, next_version, before_version, events, links FROM removals WHERE stream_id = ?1 OR act_id = ?2
