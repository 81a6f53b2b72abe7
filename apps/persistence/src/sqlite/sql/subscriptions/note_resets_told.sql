-- Purpose: notes how many resets of a subscription were told, never fewer than before nor more than there were.
-- Parameters: ?1 subscription, ?2 which one of its name, ?3 how many.
-- Zero rows: it is no news, or there is no such subscription, or another one of that name.
-- Index: primary key of subscriptions.
UPDATE subscriptions SET resets_told = min(resets, ?3)
WHERE name = ?1 AND incarnation = ?2 AND resets_told < min(resets, ?3)
