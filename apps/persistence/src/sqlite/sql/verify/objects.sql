-- Purpose: what the file is made of, for comparing it with what the migrations make.
-- Parameters: none.
-- Zero rows: nothing was made.
-- Index: none; all of the schema is looked at.
SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY type, name
