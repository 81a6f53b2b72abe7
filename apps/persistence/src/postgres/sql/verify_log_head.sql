-- Where the log says that it ends.
-- No parameters. One row that is null: the log has lost its row. Index: none serves it, it is one row.
SELECT max(position) AS head FROM {schema}.log
