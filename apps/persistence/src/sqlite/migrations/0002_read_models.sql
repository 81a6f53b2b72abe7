-- Documents, and how far projections have come.

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

-- Under which indexes documents of a collection have entries, a sorted list of JSON: each that some document has or has had, once. So who
-- sorts by an index knows whether there may be documents without an entry, without looking at all. They stay when documents are removed.
CREATE TABLE document_shapes (
    collection TEXT NOT NULL,
    indexes    TEXT NOT NULL,
    PRIMARY KEY (collection, indexes)
) STRICT, WITHOUT ROWID;

-- How far each projection has come. A checkpoint that was opened for a projection is a generation of it (see generations.rs of the
-- core): `name` and what follows are its own. Its documents are kept under its collections' names with `suffix` behind them.
CREATE TABLE checkpoints (
    projection  TEXT    NOT NULL PRIMARY KEY,
    position    INTEGER NOT NULL,
    name        TEXT,
    version     INTEGER NOT NULL DEFAULT 0,
    run         INTEGER NOT NULL DEFAULT 0,
    phase       TEXT    NOT NULL DEFAULT 'serving' CHECK (phase IN ('serving', 'building', 'retired', 'removed')),
    live_after  INTEGER NOT NULL DEFAULT 0,
    suffix      TEXT    NOT NULL DEFAULT '',
    collections TEXT    NOT NULL DEFAULT '[]',
    indexes     TEXT    NOT NULL DEFAULT '[]',
    -- The names of the events that appends may project themselves, a JSON list; and whether they do: then its documents show all that is
    -- in the log.
    inline      TEXT    NOT NULL DEFAULT '[]',
    joined      INTEGER NOT NULL DEFAULT 0 CHECK (joined IN (0, 1))
) STRICT, WITHOUT ROWID;
-- Serves every append.
CREATE INDEX checkpoints_joined ON checkpoints (joined) WHERE joined = 1;
CREATE UNIQUE INDEX checkpoints_by_name ON checkpoints (name, version, run) WHERE name IS NOT NULL;
CREATE UNIQUE INDEX checkpoints_serving ON checkpoints (name) WHERE name IS NOT NULL AND phase = 'serving';

-- Whose documents readers of a collection get: those with this suffix. Without a row, those without one.
CREATE TABLE served (
    collection TEXT NOT NULL PRIMARY KEY,
    suffix     TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- What its documents are found by, a JSON list.
    indexes    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX served_by_name ON served (name);
