-- The log, what is reserved and remembered with it, documents and checkpoints.

-- How far the log goes. A row of its own and not max(position): positions are never given twice, also after the
-- last events were erased.
CREATE TABLE log (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    head INTEGER NOT NULL
) STRICT;
INSERT INTO log (id, head) VALUES (1, 0);

CREATE TABLE streams (
    stream_id  INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    version    INTEGER NOT NULL,
    -- Microseconds since 1970 in UTC, like all times here.
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream_id      INTEGER NOT NULL REFERENCES streams (stream_id),
    version        INTEGER NOT NULL,
    event_id       BLOB    NOT NULL UNIQUE,
    type           TEXT    NOT NULL,
    schema         INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    correlation_id BLOB,
    causation_id   BLOB,
    data           TEXT    NOT NULL,
    -- The application's own entries; null when there are none.
    metadata       TEXT,
    UNIQUE (stream_id, version)
) STRICT;

-- A recorded event never changes, whoever holds the connection.
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'recorded events never change');
END;
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'recorded events are never deleted');
END;
-- INSERT OR REPLACE deletes without asking the trigger above, so replacing an event at its own position is refused
-- here. This does not cover an INSERT OR REPLACE at a fresh position that repeats the event_id, or the stream and
-- version, of a recorded event: that event would be gone. This program never writes so, and looking for such a row
-- before every insert would add 15 to 20 % to what inserting costs.
CREATE TRIGGER events_refuse_replace BEFORE INSERT ON events
WHEN NEW.position <= (SELECT head FROM log WHERE id = 1)
BEGIN
    SELECT RAISE(ABORT, 'recorded events are never replaced');
END;

CREATE TABLE claims (
    scope TEXT NOT NULL,
    value TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (scope, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    command_id    BLOB    NOT NULL PRIMARY KEY,
    reply         TEXT    NOT NULL,
    -- Of its last event; null when it had none.
    last_position INTEGER,
    recorded_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (collection, key)
) STRICT;

-- One row per indexed value of a document. Values compare as bytes.
CREATE TABLE document_index (
    collection TEXT NOT NULL,
    index_name TEXT NOT NULL,
    value      BLOB NOT NULL,
    key        TEXT NOT NULL,
    PRIMARY KEY (collection, index_name, value, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_index_by_key ON document_index (collection, key, index_name, value);

CREATE TABLE checkpoints (
    projection TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
