-- Takes the log's row lock: until commit nobody else writes.
-- No parameters. Always one row. Index: none, the table has one row.
SELECT position, revision FROM {schema}.log FOR UPDATE
