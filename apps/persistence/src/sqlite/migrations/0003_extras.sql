-- What is kept beside the log: snapshots, the outbox, notices.

-- One for each stream.
CREATE TABLE snapshots (
    stream   TEXT    NOT NULL PRIMARY KEY,
    version  INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    schema   INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    data     TEXT    NOT NULL
) STRICT;

CREATE TABLE outbox (
    -- Never given twice, also after the last entries were taken out.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE,
    queue       TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    -- Not to be done before; null is at once.
    due_at      INTEGER,
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_queue ON outbox (queue);
CREATE INDEX outbox_by_due ON outbox (queue, coalesce(due_at, recorded_at));

CREATE TABLE notices (
    id             BLOB    NOT NULL PRIMARY KEY,
    topic          TEXT    NOT NULL,
    transaction_id BLOB,
    source         TEXT,
    initialized_at INTEGER,
    occurred_at    INTEGER NOT NULL,
    expires_at     INTEGER,
    data           TEXT    NOT NULL
) STRICT;
CREATE INDEX notices_by_time ON notices (occurred_at, id);
CREATE INDEX notices_by_topic ON notices (topic, occurred_at, id);
CREATE INDEX notices_by_transaction ON notices (transaction_id, occurred_at, id) WHERE transaction_id IS NOT NULL;
CREATE INDEX notices_by_expiry ON notices (expires_at) WHERE expires_at IS NOT NULL;
