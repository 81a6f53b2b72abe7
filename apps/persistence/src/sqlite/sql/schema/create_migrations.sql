-- Purpose: the table that remembers which migrations were applied.
-- Parameters: none.
-- Zero rows: always.
-- Index: none.
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT
