-- The log: one row that is its lock, the streams, the events.
--
-- Every append updates the one row of `log` first. Whoever holds its row lock is the only writer until it
-- commits, so positions have no gaps and become visible in order.

CREATE TABLE {schema}.log (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Position of the last event.
    position bigint NOT NULL DEFAULT 0,
    -- The last stream_id given out.
    last_stream bigint NOT NULL DEFAULT 0,
    -- Counts changes to what is recorded of streams (deletions), so that a writer learns from the row it locks
    -- anyway whether what it remembers of streams is still true.
    revision bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO {schema}.log DEFAULT VALUES;

-- A stream's version is that of its last event. It is not kept here: the unique index on the events says it, and
-- an append then writes nothing but its events.
CREATE TABLE {schema}.streams (
    stream_id bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);

-- Exactly three unique indexes: each costs every event.
CREATE TABLE {schema}.events (
    position bigint PRIMARY KEY,
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    type text COLLATE "C" NOT NULL,
    schema int NOT NULL,
    recorded_at timestamptz NOT NULL,
    correlation_id uuid,
    causation_id uuid,
    data json NOT NULL,
    metadata json,
    UNIQUE (stream_id, version)
);

-- Events never change. Triggers per statement, which an insert does not pay for.
CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events never change: % of %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();

-- Whoever changes a stream's row (new ones aside) tells the writers.
CREATE FUNCTION {schema}.count_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.log SET revision = revision + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER streams_changed AFTER UPDATE OR DELETE OR TRUNCATE ON {schema}.streams
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.count_revision();
