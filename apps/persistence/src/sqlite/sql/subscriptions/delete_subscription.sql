-- Purpose: removes a subscription.
-- Parameters: ?1 name.
-- Zero rows: always.
-- Index: primary key of subscriptions.
DELETE FROM subscriptions WHERE name = ?1
