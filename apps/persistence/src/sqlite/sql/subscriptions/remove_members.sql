-- Purpose: removes those who take part no longer.
-- Parameters: ?1 subscription, ?2 now, ?3 the node that leaves or null.
-- Zero rows: always.
-- Index: primary key of subscription_members.
DELETE FROM subscription_members WHERE subscription = ?1 AND (expires_at <= ?2 OR node = ?3)
