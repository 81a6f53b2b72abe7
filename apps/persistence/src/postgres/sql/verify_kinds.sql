-- Rule: a kind names a type of events and the version of its schema, from 1.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at every kind.
SELECT format('kind %s of category %s has type "%s" and schema %s', kind_id, category, type, schema) AS what
FROM {schema}.kinds WHERE type = '' OR schema < 1
LIMIT $1
