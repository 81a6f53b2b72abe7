-- Purpose: a page of the list of claims of a scope.
-- Parameters: ?1 scope, ?2 value of the claim behind which it begins, or null, ?3 how many at most.
-- Zero rows: no more.
-- Index: primary key of claims, in its order.
SELECT scope, value, owner
FROM claims
WHERE scope = ?1 AND value >= ifnull(?2, '') AND value IS NOT ?2
ORDER BY value
LIMIT ?3
