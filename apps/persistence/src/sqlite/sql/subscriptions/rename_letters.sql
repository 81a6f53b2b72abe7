-- Purpose: gives the letters of a subscription its new name.
-- Parameters: ?1 name, ?2 the new name.
-- Zero rows: always.
-- Index: primary key of letters.
UPDATE letters SET subscription = ?2 WHERE subscription = ?1
