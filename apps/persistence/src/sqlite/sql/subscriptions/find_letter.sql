-- Purpose: where a letter is.
-- Parameters: ?1 subscription, ?2 place.
-- Zero rows: there is none.
-- Index: primary key of letters.
SELECT partition, key FROM letters WHERE subscription = ?1 AND place = ?2
