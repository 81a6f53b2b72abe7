-- Purpose: counts a node as a member.
-- Parameters: ?1 subscription, ?2 node, ?3 until when.
-- Zero rows: always.
-- Index: primary key of subscription_members.
INSERT INTO subscription_members (subscription, node, expires_at) VALUES (?1, ?2, ?3)
ON CONFLICT (subscription, node) DO UPDATE SET expires_at = excluded.expires_at
