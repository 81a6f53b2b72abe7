-- Purpose: frees a claim.
-- Parameters: ?1 scope, ?2 value.
-- Zero rows: always.
-- Index: primary key of claims.
DELETE FROM claims WHERE scope = ?1 AND value = ?2
