-- Purpose: the migrations applied so far, in order.
-- Parameters: none.
-- Zero rows: a new file.
-- Index: primary key of schema_migrations, in its order.
SELECT number, name, checksum FROM schema_migrations ORDER BY number
