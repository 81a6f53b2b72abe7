-- The log.
-- No parameters. No row, or several: the store is damaged. Index: none, the table has one row.
SELECT position, archived_to, created_at FROM {schema}.log
