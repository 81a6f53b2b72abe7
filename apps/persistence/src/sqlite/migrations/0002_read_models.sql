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

CREATE TABLE checkpoints (
    projection TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
