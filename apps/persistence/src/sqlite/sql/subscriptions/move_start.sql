-- Purpose: notes where a subscription begins.
-- Parameters: ?1 name, ?2 the place behind which, or null.
-- Zero rows: always.
-- Index: primary key of subscriptions.
UPDATE subscriptions SET start_after = ?2 WHERE name = ?1
