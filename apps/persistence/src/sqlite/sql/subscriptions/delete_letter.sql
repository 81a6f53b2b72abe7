-- Purpose: removes a letter.
-- Parameters: ?1 subscription, ?2 place, ?3 partition.
-- Zero rows: always; no row changes when it is gone.
-- Index: primary key of letters.
DELETE FROM letters WHERE subscription = ?1 AND place = ?2 AND partition = ?3
