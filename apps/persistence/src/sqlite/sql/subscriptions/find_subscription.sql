-- Purpose: what a subscription follows.
-- Parameters: ?1 name.
-- Zero rows: there is none of that name.
-- Index: primary key of subscriptions.
SELECT stream, paused FROM subscriptions WHERE name = ?1
