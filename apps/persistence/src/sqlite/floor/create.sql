-- Purpose: the floor's table, with the log's columns and its three unique indexes.
-- Parameters: none. Zero rows: always.
CREATE TABLE floor_group_commit (
    position       INTEGER PRIMARY KEY,
    stream_id      INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    event_id       BLOB    NOT NULL UNIQUE,
    kind_id        INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    correlation_id BLOB,
    causation_id   BLOB,
    subject        TEXT,
    metadata       TEXT,
    data           TEXT,
    bytes          BLOB,
    UNIQUE (stream_id, version)
) STRICT
