-- Who holds these claims.
-- Parameters: 1 scopes, 2 values. A claim without a row is free. Index: claims_pkey.
SELECT c.scope, c.value, c.owner
FROM unnest($1::text[], $2::text[]) AS asked (scope, value)
JOIN {schema}.claims c ON c.scope = asked.scope AND c.value = asked.value
