-- Purpose: a claim's owner after a group.
-- Parameters: ?1 scope, ?2 value, ?3 owner.
-- Zero rows: always.
-- Index: primary key of claims.
INSERT INTO claims (scope, value, owner) VALUES (?1, ?2, ?3)
ON CONFLICT (scope, value) DO UPDATE SET owner = excluded.owner
