-- Purpose: notes where a subscription begins that is reset.
-- Parameters: ?1 name, ?2 the place behind which, or null.
-- Zero rows: always.
-- Index: primary key of subscriptions.
UPDATE subscriptions SET start_after = ?2, resets = resets + 1 WHERE name = ?1
