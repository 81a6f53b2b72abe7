-- Changes owners of claims, under the log's row lock.
-- Parameters: 1 scopes, 2 values, 3 owners before (null: nobody), 4 owners after (null: nobody).
-- Always one row. Raises UM001, or a unique violation, when an owner before is another. Index: claims_pkey.
SELECT {schema}.write_claims($1, $2, $3, $4)
