-- Purpose: pauses a subscription or lets it go on.
-- Parameters: ?1 name, ?2 whether it is paused.
-- Zero rows: always.
-- Index: primary key of subscriptions.
UPDATE subscriptions SET paused = ?2 WHERE name = ?1
