-- Durable subscriptions: leases and checkpoints of their partitions, who takes part, and dead letters.

CREATE TABLE subscriptions (
    name        TEXT    NOT NULL PRIMARY KEY,
    -- The name that what follows from its events is kept under, whatever it is called now.
    kept_as     TEXT    NOT NULL,
    -- What it follows, in words.
    source      TEXT    NOT NULL,
    -- The stream that its places are versions of; null when they are positions of the log.
    stream      TEXT,
    -- The place behind which it began; null is with the first event.
    start_after INTEGER,
    paused      INTEGER NOT NULL DEFAULT 0,
    -- How often it was reset.
    resets      INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    -- The epoch that its partitions began with, which no earlier one of its name had.
    incarnation INTEGER NOT NULL,
    -- What its dead letters are kept in. They are of the box and not of the name, so that the act that renames it, or lets go of them,
    -- is as short for a million of them as for none: that holds up every append.
    box         INTEGER NOT NULL UNIQUE
) STRICT;
-- Serves the end of a stream.
CREATE INDEX subscriptions_by_stream ON subscriptions (stream) WHERE stream IS NOT NULL;

-- Names that subscriptions have given up, by being deleted or renamed. The first epoch that no lease under such a name had: whoever
-- still holds one of them is refused by its successor. And what that is kept as: of a deleted one the same as before, of a renamed one
-- something new.
CREATE TABLE past_epochs (
    name    TEXT    NOT NULL PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    kept_as TEXT    NOT NULL
) STRICT;

-- Boxes of subscriptions that were deleted or begin elsewhere: what is in them is nobody's, and is removed in steps by and by. A new
-- box is one behind all that are known here and there.
CREATE TABLE lost_boxes (
    box INTEGER PRIMARY KEY
) STRICT;

-- The owner stays when its lease has run out, so that it may still renew it.
CREATE TABLE subscription_partitions (
    subscription TEXT    NOT NULL,
    partition    INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    owner        BLOB,
    expires_at   INTEGER,
    checkpoint   INTEGER NOT NULL,
    -- The furthest checkpoint that was saved: a reset leaves it, and what comes again up to here is a replay.
    handled      INTEGER NOT NULL DEFAULT 0,
    -- How many dead letters it has.
    letters      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, partition),
    CHECK ((owner IS NULL) = (expires_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription_members (
    subscription TEXT    NOT NULL,
    node         BLOB    NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (subscription, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE letters (
    box             INTEGER NOT NULL,
    place           INTEGER NOT NULL,
    partition       INTEGER NOT NULL,
    key             INTEGER NOT NULL,
    key_text        TEXT    NOT NULL,
    event_id        BLOB    NOT NULL,
    position        INTEGER NOT NULL,
    event_name      TEXT    NOT NULL,
    -- What went wrong; null when it only waits behind another one of its key.
    error           TEXT,
    attempts        INTEGER,
    first_failed_at INTEGER,
    last_failed_at  INTEGER,
    parked_at       INTEGER NOT NULL,
    retry           INTEGER NOT NULL DEFAULT 0,
    -- Whether its event had been done with before, and came again after a reset.
    replay          INTEGER NOT NULL,
    -- Whether it is the first of its key.
    head            INTEGER NOT NULL DEFAULT 0,
    edited          TEXT,
    -- Serves the list.
    PRIMARY KEY (box, place),
    CHECK ((error IS NULL) = (attempts IS NULL)),
    CHECK ((error IS NULL) = (first_failed_at IS NULL)),
    CHECK ((error IS NULL) = (last_failed_at IS NULL))
) STRICT;
-- Serve the queue of a key, the keys of a partition, what is due, and the oldest of a partition.
CREATE INDEX letters_by_key ON letters (box, partition, key, place);
CREATE INDEX letters_first ON letters (box, partition, key, place) WHERE head = 1;
CREATE INDEX letters_due ON letters (box, partition, place) WHERE head = 1 AND (retry = 1 OR error IS NULL);
CREATE INDEX letters_by_age ON letters (box, partition, parked_at);
-- Serve lists of some, of each subscription.
CREATE INDEX letters_by_key_text ON letters (key_text, box, place);
CREATE INDEX letters_by_event_name ON letters (event_name, box, place);
CREATE INDEX letters_failed ON letters (box, place) WHERE error IS NOT NULL;
-- Serve those who ask for many, chunk by chunk: what was asked for before is not gone through again.
CREATE INDEX letters_unasked ON letters (box, place) WHERE retry = 0;
CREATE INDEX letters_asked ON letters (box, place) WHERE retry = 1;
CREATE INDEX letters_unasked_by_key ON letters (box, partition, key, place) WHERE retry = 0;
