-- What is kept beside the log: snapshots and notices.

-- The last state of a stream that somebody kept, one for each stream.
CREATE TABLE {schema}.snapshots (
    stream text COLLATE "C" PRIMARY KEY,
    -- The last event that is in it.
    version bigint NOT NULL,
    -- Name and version of the state's shape.
    state text NOT NULL,
    schema bigint NOT NULL,
    taken_at timestamptz NOT NULL,
    data json NOT NULL
);

-- Transient announcements that somebody wanted to be able to look up for a while.
CREATE TABLE {schema}.notices (
    notice_id uuid PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    transaction_id uuid,
    source text,
    initialized_at timestamptz,
    occurred_at timestamptz NOT NULL,
    -- Null is never.
    expires_at timestamptz,
    data json NOT NULL
);
-- Each serves a list in its order: of all, of a topic, of a transaction.
CREATE INDEX notices_by_time ON {schema}.notices (occurred_at, notice_id);
CREATE INDEX notices_by_topic ON {schema}.notices (topic, occurred_at, notice_id);
CREATE INDEX notices_by_transaction ON {schema}.notices (transaction_id, occurred_at, notice_id)
    WHERE transaction_id IS NOT NULL;
-- Serves sweeping.
CREATE INDEX notices_by_expiry ON {schema}.notices (expires_at) WHERE expires_at IS NOT NULL;
