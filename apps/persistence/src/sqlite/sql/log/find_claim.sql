-- Purpose: who holds a claim.
-- Parameters: ?1 scope, ?2 value.
-- Zero rows: it is free.
-- Index: primary key of claims.
SELECT owner FROM claims WHERE scope = ?1 AND value = ?2
