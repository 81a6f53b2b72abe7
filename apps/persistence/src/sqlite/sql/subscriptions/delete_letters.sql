-- Purpose: removes all letters of a subscription.
-- Parameters: ?1 subscription.
-- Zero rows: always.
-- Index: primary key of letters.
DELETE FROM letters WHERE subscription = ?1
