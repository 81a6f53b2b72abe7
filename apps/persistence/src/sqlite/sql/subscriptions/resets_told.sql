-- Purpose: how many resets of a subscription were told.
-- Parameters: ?1 subscription, ?2 which one of its name.
-- Zero rows: there is no such subscription, or another one of that name.
-- Index: primary key of subscriptions.
SELECT resets_told FROM subscriptions WHERE name = ?1 AND incarnation = ?2
