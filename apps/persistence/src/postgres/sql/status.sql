-- The log's head.
-- No parameters. Always one row. Index: none, the table has one row.
SELECT position FROM {schema}.log
