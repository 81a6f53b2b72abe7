-- A page of the list of claims, by scope and value.
-- Parameters: 1 and 2 scope and value of the claim behind which it begins, each or null, 3 how many at most. No row: none is left.
-- Index: claims_pkey, in order.
SELECT scope, value, owner FROM {schema}.claims
WHERE (scope, value) >= (coalesce($1::text, ''), coalesce($2::text, '')) AND (scope, value) IS DISTINCT FROM ($1::text, $2::text)
ORDER BY scope, value LIMIT $3
