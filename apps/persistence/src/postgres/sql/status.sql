-- The log.
-- No parameters. Always one row. Index: none, the table has one row.
SELECT position, archived_to, created_at FROM {schema}.log
