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
    -- The last number given to an entry of the outbox.
    last_outbox bigint NOT NULL DEFAULT 0,
    -- Counts changes to what is recorded of streams (deletions), so that a writer learns from the row it locks
    -- anyway whether what it remembers of streams is still true.
    revision bigint NOT NULL DEFAULT 0,
    -- Everything up to here is in `archive`, everything behind it in `events`.
    archived_to bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
INSERT INTO {schema}.log DEFAULT VALUES;
-- Else the planner takes it for a table of many rows until it was looked at.
ANALYZE {schema}.log;

-- A stream's version is that of its last event. It is not kept here: the unique index on the events says it, and
-- an append then writes nothing but its events.
CREATE TABLE {schema}.streams (
    stream_id bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    -- Reading begins here; greater than 1 after a truncation.
    first_version bigint NOT NULL DEFAULT 1,
    -- Whether its version is just that of its last event. Not so once it holds links, or its last event was removed:
    -- then kept_version says at least how far it has come (its links, and what is gone), and no writer may guess its
    -- version. So a link that is lost by damage is missed, and its version not given out again.
    plain boolean NOT NULL DEFAULT true,
    kept_version bigint NOT NULL DEFAULT 0,
    -- How many of its versions hold nothing any more, because acts of upkeep removed what was there.
    removed bigint NOT NULL DEFAULT 0
);

-- Serve lists in these orders; each costs a stream once. (There is none by version: each append would pay for it.)
CREATE INDEX streams_by_creation ON {schema}.streams (created_at, name);
CREATE INDEX streams_by_deletion ON {schema}.streams (deleted_at, name) WHERE deleted_at IS NOT NULL;

-- Each distinct pair of a stream's category and an event's type has a number. Rows are only added, under the log's
-- lock.
CREATE TABLE {schema}.kinds (
    kind_id int PRIMARY KEY,
    category text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema int NOT NULL,
    UNIQUE (category, type, schema)
);
CREATE INDEX kinds_by_type ON {schema}.kinds (type);
-- The kinds with one of these types, whatever their schema, and one of these categories; null does not restrict.
CREATE FUNCTION {schema}.kinds_of(p_types text[], p_categories text[]) RETURNS SETOF int LANGUAGE sql STABLE AS $$
    SELECT kind_id FROM {schema}.kinds
    WHERE (p_types IS NULL OR type = ANY (p_types)) AND (p_categories IS NULL OR category = ANY (p_categories))
$$;

-- Exactly three unique indexes, and one that costs next to nothing: each index costs every event. What serves selection is
-- written span by span instead, see below. What has a fixed width comes first, the widest ahead, so that nothing is padded.
-- Either data or bytes is set.
CREATE TABLE {schema}.events (
    position bigint PRIMARY KEY,
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    kind_id int NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    correlation_id uuid,
    causation_id uuid,
    subject text COLLATE "C",
    -- Sorted; null when there are none. event_tags finds by them.
    tags text[] COLLATE "C",
    data json,
    bytes bytea,
    metadata json,
    UNIQUE (stream_id, version)
);
-- An insert hardly feels it: a range of pages is looked at once, when it is full. The two filters of a range have room
-- beside each other in one index tuple; with more values than they were made for they only find more in vain. Positions
-- are in it so that a part of the log can be asked for, and negated so that no other index can serve that condition.
CREATE INDEX events_by_conversation ON {schema}.events USING brin (
    (-position) int8_minmax_ops,
    correlation_id uuid_bloom_ops (n_distinct_per_range = 1500, false_positive_rate = 0.01),
    causation_id uuid_bloom_ops (n_distinct_per_range = 1500, false_positive_rate = 0.01)
) WITH (pages_per_range = 32, autosummarize = on);

-- By which tags events are found, archived or not: a row for each tag of each event, so an event without tags has none and costs
-- nothing. The kind is here too, so that a query is answered from this table alone.
CREATE TABLE {schema}.event_tags (
    position bigint NOT NULL,
    kind_id int NOT NULL,
    tag text COLLATE "C" NOT NULL,
    PRIMARY KEY (tag, position) INCLUDE (kind_id)
);

-- Old events, moved out of the way of the new ones. Reads look at both.
CREATE TABLE {schema}.archive (LIKE {schema}.events INCLUDING ALL);
CREATE VIEW {schema}.all_events AS
    SELECT * FROM {schema}.archive UNION ALL SELECT * FROM {schema}.events;

-- Between which moments the events of each 4096 positions, from first_position on, were recorded. Only spans that the
-- log has passed have a row, and only when there was an event in them.
CREATE TABLE {schema}.spans (
    first_position bigint PRIMARY KEY,
    min_recorded_at timestamptz NOT NULL,
    max_recorded_at timestamptz NOT NULL
);

-- Where the events of a kind are in a span, from first_position on: their places in it, from 0 on, in order. As the span's
-- row it is written once the log has passed the span; the events of the last one, which it has not, are looked at one by
-- one. What is removed is no longer listed. An index by kind would cost each event as much as one of the unique ones.
CREATE TABLE {schema}.span_kinds (
    first_position bigint NOT NULL,
    kind_id int NOT NULL,
    events int NOT NULL,
    places smallint[] NOT NULL,
    PRIMARY KEY (kind_id, first_position),
    CHECK (events > 0 AND events = cardinality(places))
);
-- Packing them would take longer than they take to write.
ALTER TABLE {schema}.span_kinds ALTER places SET STORAGE EXTERNAL;

-- Second places for events that are in the log already: version `version` of stream `stream_id` is the event at `position`.
CREATE TABLE {schema}.links (
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (stream_id, version),
    UNIQUE (stream_id, position)
);
-- Serves removing links together with their events.
CREATE INDEX links_by_position ON {schema}.links (position);

-- Streams with their versions: the highest of their own events, archived or not, their links, and what was kept. The
-- parts of the version are looked at only where they can matter.
CREATE VIEW {schema}.versioned_streams AS
    SELECT s.*, greatest(
        coalesce(
            (SELECT max(e.version) FROM {schema}.events e WHERE e.stream_id = s.stream_id),
            (SELECT max(a.version) FROM {schema}.archive a WHERE a.stream_id = s.stream_id),
            0
        ),
        CASE WHEN NOT s.plain THEN
            greatest(s.kept_version, (SELECT max(l.version) FROM {schema}.links l WHERE l.stream_id = s.stream_id))
        END
    ) AS version
    FROM {schema}.streams s;

-- Events and links never change, and streams stay. Triggers per statement, which an insert does not pay for. The acts of upkeep,
-- which are recorded, say so by a setting of their function.
CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('umbel.upkeep', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% never change: % of %.% is refused', TG_ARGV[0], TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change('events');
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.archive
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change('events');
CREATE TRIGGER links_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.links
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change('links');
CREATE TRIGGER streams_stay BEFORE DELETE OR TRUNCATE ON {schema}.streams
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change('streams');

-- Whoever changes what a writer remembers of a stream tells the writers. (They remember nothing of kept_version and removed:
-- those belong to streams that are not plain, or go with another change.)
CREATE FUNCTION {schema}.count_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.log SET revision = revision + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER streams_changed
    AFTER UPDATE OF stream_id, name, deleted_at, first_version, plain OR DELETE OR TRUNCATE ON {schema}.streams
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.count_revision();
