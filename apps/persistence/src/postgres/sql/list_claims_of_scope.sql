-- A page of the list of claims of a scope, by value.
-- Parameters: 1 scope, 2 value of the claim behind which it begins, or null, 3 how many at most. No row: none is left.
-- Index: claims_pkey, in order.
SELECT scope, value, owner FROM {schema}.claims
WHERE scope = $1 AND value >= coalesce($2::text, '') AND value IS DISTINCT FROM $2::text
ORDER BY value LIMIT $3
