-- How many resets of a subscription those who handle its events were told of.

ALTER TABLE subscriptions ADD COLUMN resets_told INTEGER NOT NULL DEFAULT 0;
-- Nobody is told of what was before.
UPDATE subscriptions SET resets_told = resets;
