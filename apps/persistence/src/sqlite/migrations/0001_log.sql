-- The log with its archive, and what is reserved and remembered with it.

-- How far the log goes. A row of its own and not max(position): positions are never given twice, also after the
-- last events were removed.
CREATE TABLE log (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    head        INTEGER NOT NULL,
    -- Events up to here are in archived_events, those behind in events.
    archived_to INTEGER NOT NULL,
    -- Microseconds since 1970 in UTC, like all times here.
    created_at  INTEGER NOT NULL
) STRICT;
INSERT INTO log (id, head, archived_to, created_at)
VALUES (1, 0, 0, CAST(unixepoch('subsec') * 1000000 AS INTEGER));

-- Holds a row while an act of upkeep is in progress, which lets it past the triggers below. Only inside its
-- transaction: the foreign key, checked at the commit, points to what cannot be there.
CREATE TABLE upkeep (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    until INTEGER NOT NULL CHECK (until = 2) REFERENCES log (id) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE TABLE streams (
    stream_id     INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    -- The last one ever given, to an event or a link; it stays when what had it is removed.
    version       INTEGER NOT NULL,
    -- The first one that is shown.
    first_version INTEGER NOT NULL DEFAULT 1,
    -- The first one that was not removed for good.
    kept_from     INTEGER NOT NULL DEFAULT 1,
    -- How many hold nothing any more, because acts of upkeep removed what was there.
    removed       INTEGER NOT NULL DEFAULT 0,
    -- Whether it never held a link: then all its versions are those of its own events, without a hole.
    plain         INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT;

-- Serve lists in these orders; each costs a stream once. (There is none by version: each append would pay for it.)
CREATE INDEX streams_by_creation ON streams (created_at, name);
CREATE INDEX streams_by_deletion ON streams (deleted_at, name) WHERE deleted_at IS NOT NULL;

-- What can be selected by: each category of streams with each event type in it. An event's row names one number
-- instead of two texts, and what finds events by their kind serves types and categories.
CREATE TABLE kinds (
    kind_id  INTEGER PRIMARY KEY,
    category TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    schema   INTEGER NOT NULL,
    UNIQUE (type, category, schema)
) STRICT;
CREATE INDEX kinds_by_category ON kinds (category);

-- There is no index by kind or by conversation, whose price each append would pay: what serves selection is written span by span, below.
-- What it refers to is checked at the commit: with that, a trigger that fails instead of aborting, and an insert that does so too,
-- SQLite need not be able to undo each insert by itself, which would copy every page that it touches.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream_id      INTEGER NOT NULL REFERENCES streams (stream_id) DEFERRABLE INITIALLY DEFERRED,
    version        INTEGER NOT NULL,
    event_id       BLOB    NOT NULL UNIQUE,
    kind_id        INTEGER NOT NULL REFERENCES kinds (kind_id) DEFERRABLE INITIALLY DEFERRED,
    recorded_at    INTEGER NOT NULL,
    correlation_id BLOB,
    causation_id   BLOB,
    -- Whose personal data it holds.
    subject        TEXT,
    -- A JSON list, sorted; null when there are none. event_tags finds by them.
    tags           TEXT,
    -- The application's own entries; null when there are none.
    metadata       TEXT,
    -- One of the two: JSON, or bytes in a coding of the type's own.
    data           TEXT,
    bytes          BLOB,
    UNIQUE (stream_id, version),
    CHECK ((data IS NULL) <> (bytes IS NULL))
) STRICT;

-- The beginning of the log, moved out of the way of appends. The same columns in the same order.
CREATE TABLE archived_events (
    position       INTEGER PRIMARY KEY,
    stream_id      INTEGER NOT NULL REFERENCES streams (stream_id),
    version        INTEGER NOT NULL,
    event_id       BLOB    NOT NULL UNIQUE,
    kind_id        INTEGER NOT NULL REFERENCES kinds (kind_id),
    recorded_at    INTEGER NOT NULL,
    correlation_id BLOB,
    causation_id   BLOB,
    subject        TEXT,
    tags           TEXT,
    metadata       TEXT,
    data           TEXT,
    bytes          BLOB,
    UNIQUE (stream_id, version),
    CHECK ((data IS NULL) <> (bytes IS NULL))
) STRICT;

-- By which tags events are found, archived or not: a row for each tag of each event, so an event without tags has none. The
-- kind is here too, so that a query is answered from this table alone.
CREATE TABLE event_tags (
    tag      TEXT    NOT NULL,
    position INTEGER NOT NULL,
    kind_id  INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

-- All events, wherever they are.
CREATE VIEW whole_log AS SELECT * FROM events UNION ALL SELECT * FROM archived_events;

-- What leads to the events of 4096 positions each, written when the last of them is. The events behind the last span are looked through.

-- Their times. A read by time leaves out those that do not overlap. Removing events leaves them as they are: too wide, never too narrow.
CREATE TABLE spans (
    first_position  INTEGER PRIMARY KEY,
    min_recorded_at INTEGER NOT NULL,
    max_recorded_at INTEGER NOT NULL
) STRICT;

-- Where the events of a kind are, archived or not: of each, how far it is behind the first position, in two bytes, the higher one first.
-- Removing events takes them out.
CREATE TABLE span_kinds (
    kind_id        INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    offsets        BLOB    NOT NULL,
    PRIMARY KEY (kind_id, first_position)
) STRICT, WITHOUT ROWID;

-- A filter of their correlation and causation ids (see filter.rs), which tells of most ids that they are not there. Removing events leaves
-- it as it is. Not in spans, whose rows are read many at a time.
CREATE TABLE span_conversations (
    first_position INTEGER PRIMARY KEY,
    filter         BLOB    NOT NULL
) STRICT;

-- Second places of events, each with a version of its own in the stream.
CREATE TABLE links (
    stream_id INTEGER NOT NULL REFERENCES streams (stream_id),
    version   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (stream_id, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_by_position ON links (position, stream_id);

-- Removals for good that are under way: what one transaction should not do at once. Versions below before_version are to go and shown no
-- more; those below next_version are gone. The act is recorded with the last of them, as the request says.
CREATE TABLE removals (
    stream_id      INTEGER PRIMARY KEY REFERENCES streams (stream_id),
    act_id         BLOB    NOT NULL UNIQUE,
    request        TEXT    NOT NULL,
    next_version   INTEGER NOT NULL,
    before_version INTEGER NOT NULL,
    -- How much is gone.
    events         INTEGER NOT NULL DEFAULT 0,
    links          INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A recorded event never changes, whoever holds the connection.
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'recorded events never change');
END;
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM upkeep)
BEGIN
    SELECT RAISE(ABORT, 'recorded events are never deleted, but by an act of upkeep');
END;
-- INSERT OR REPLACE deletes without asking the trigger above, so replacing an event at its own position is refused
-- here. This does not cover an INSERT OR REPLACE at a fresh position that repeats the event_id, or the stream and
-- version, of a recorded event: that event would be gone. This program never writes so, and looking for such a row
-- before every insert would add 15 to 20 % to what inserting costs. Verifying the store finds the hole.
CREATE TRIGGER events_refuse_replace BEFORE INSERT ON events
WHEN NEW.position <= (SELECT head FROM log WHERE id = 1)
BEGIN
    SELECT RAISE(FAIL, 'recorded events are never replaced');
END;
CREATE TRIGGER archived_events_refuse_update BEFORE UPDATE ON archived_events
BEGIN
    SELECT RAISE(ABORT, 'recorded events never change');
END;
CREATE TRIGGER archived_events_refuse_delete BEFORE DELETE ON archived_events
WHEN NOT EXISTS (SELECT 1 FROM upkeep)
BEGIN
    SELECT RAISE(ABORT, 'recorded events are never deleted, but by an act of upkeep');
END;
CREATE TRIGGER archived_events_refuse_insert BEFORE INSERT ON archived_events
WHEN NOT EXISTS (SELECT 1 FROM upkeep)
BEGIN
    SELECT RAISE(ABORT, 'recorded events are never added to the archive, but by an act of upkeep');
END;
CREATE TRIGGER links_refuse_update BEFORE UPDATE ON links
BEGIN
    SELECT RAISE(ABORT, 'links never change');
END;
CREATE TRIGGER links_refuse_delete BEFORE DELETE ON links
WHEN NOT EXISTS (SELECT 1 FROM upkeep)
BEGIN
    SELECT RAISE(ABORT, 'links are never deleted, but by an act of upkeep');
END;
-- As with events: INSERT OR REPLACE does not ask the trigger above.
CREATE TRIGGER links_refuse_replace BEFORE INSERT ON links
WHEN EXISTS (SELECT 1 FROM links WHERE stream_id = NEW.stream_id AND (version = NEW.version OR position = NEW.position))
BEGIN
    SELECT RAISE(FAIL, 'links are never replaced');
END;
CREATE TRIGGER streams_refuse_delete BEFORE DELETE ON streams
WHEN NOT EXISTS (SELECT 1 FROM upkeep)
BEGIN
    SELECT RAISE(ABORT, 'streams are never deleted, but by an act of upkeep');
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
    recorded_at   INTEGER NOT NULL,
    -- Whether it is never forgotten.
    for_good      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
-- Serves forgetting the oldest. Times rise, so an insert only ever adds behind its last entry.
CREATE INDEX commands_by_time ON commands (recorded_at) WHERE NOT for_good;

-- The keys that personal data in events is encrypted with. A forgotten subject's row stays, without a key.
CREATE TABLE subject_keys (
    subject      TEXT    NOT NULL PRIMARY KEY,
    key          BLOB,
    created_at   INTEGER NOT NULL,
    forgotten_at INTEGER,
    CHECK ((key IS NULL) = (forgotten_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
