-- Purpose: gives a subscription another name, which nobody has; its past epochs are noted already.
-- Parameters: ?1 name, ?2 the new name.
-- Zero rows: always.
-- Index: primary keys of subscriptions and past_epochs.
UPDATE subscriptions
SET name = ?2, incarnation = (SELECT max(epoch) FROM past_epochs WHERE past_epochs.name IN (?1, ?2))
WHERE name = ?1
