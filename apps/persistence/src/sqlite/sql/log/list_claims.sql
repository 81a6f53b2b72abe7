-- Purpose: a page of the list of claims.
-- Parameters: ?1 scope and ?2 value of the claim behind which it begins, or null, ?3 how many at most.
-- Zero rows: no more.
-- Index: primary key of claims, in its order.
SELECT scope, value, owner
FROM claims
WHERE (scope, value) >= (ifnull(?1, ''), ifnull(?2, '')) AND (scope, value) IS NOT (?1, ?2)
ORDER BY scope, value
LIMIT ?3
