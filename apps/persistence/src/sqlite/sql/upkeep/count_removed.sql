-- Purpose: how far a stream was removed, and how many of its versions hold nothing any more since.
-- Parameters: ?1 stream_id, ?2 the first version that was not removed, ?3 how many were removed now.
-- Zero rows: always.
-- Index: primary key of streams.
UPDATE streams SET kept_from = max(kept_from, ?2), removed = removed + ?3 WHERE stream_id = ?1
