-- Purpose: remembers an applied migration, with the database's own time in microseconds.
-- Parameters: ?1 number, ?2 name, ?3 checksum of its text.
-- Zero rows: always.
-- Index: primary key of schema_migrations.
INSERT INTO schema_migrations (number, name, checksum, applied_at)
VALUES (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))
