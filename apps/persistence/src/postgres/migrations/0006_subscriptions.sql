-- Durable subscriptions: leases and checkpoints of their partitions, who takes part, and dead letters.
--
-- Leases run out by this server's clock. Whoever changes a subscription locks its row first and then those of its
-- partitions, in order; saving checkpoints locks only the latter. So nobody waits for another crosswise. The planner
-- settings make each look-up go through its index, whatever the statistics say.

-- Numbers of boxes, see there.
CREATE SEQUENCE {schema}.boxes;

CREATE TABLE {schema}.subscriptions (
    name text COLLATE "C" PRIMARY KEY,
    -- The name that what follows from its events is kept under, whatever it is called now.
    kept_as text NOT NULL,
    -- What it follows, in words.
    source text NOT NULL,
    -- The stream that its places are versions of; null when they are positions of the log.
    stream text COLLATE "C",
    -- The place behind which it began; null is with the first event.
    start_after bigint,
    paused boolean NOT NULL DEFAULT false,
    -- How often it was reset.
    resets bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    -- The epoch that its partitions began with, which no earlier one of its name had.
    incarnation bigint NOT NULL,
    -- What its dead letters are kept in. They are of the box and not of the name, so that the act that renames it, or lets go of them,
    -- is as short for a million of them as for none: that holds up every append.
    box bigint NOT NULL UNIQUE DEFAULT nextval('{schema}.boxes')
);
-- Serves the end of a stream.
CREATE INDEX subscriptions_by_stream ON {schema}.subscriptions (stream) WHERE stream IS NOT NULL;

-- Names that subscriptions have given up, by being deleted or renamed. The first epoch that no lease under such a name had: whoever
-- still holds one of them is refused by its successor. And what that is kept as: of a deleted one the same as before, of a renamed one
-- something new.
CREATE TABLE {schema}.past_epochs (
    name text COLLATE "C" PRIMARY KEY,
    epoch bigint NOT NULL,
    kept_as text NOT NULL
);

-- Boxes of subscriptions that were deleted or begin elsewhere: what is in them is nobody's, and is removed in steps by and by.
CREATE TABLE {schema}.lost_boxes (
    box bigint PRIMARY KEY
);

-- The owner stays when its lease has run out, so that it may still renew it. Room is left for new versions of a row.
CREATE TABLE {schema}.subscription_partitions (
    subscription text COLLATE "C" NOT NULL,
    partition bigint NOT NULL,
    epoch bigint NOT NULL,
    owner uuid,
    expires_at timestamptz,
    checkpoint bigint NOT NULL,
    -- The furthest checkpoint that was saved: a reset leaves it, and what comes again up to here is a replay.
    handled bigint NOT NULL DEFAULT 0,
    -- How many dead letters it has.
    letters bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, partition),
    CHECK ((owner IS NULL) = (expires_at IS NULL))
) WITH (fillfactor = 50);

CREATE TABLE {schema}.subscription_members (
    subscription text COLLATE "C" NOT NULL,
    node uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (subscription, node)
) WITH (fillfactor = 50);

-- What the processes tell each other of themselves: a row for each process, as long as it is believed.
CREATE TABLE {schema}.processes (
    node uuid PRIMARY KEY,
    -- As JSON: what it runs that callers in others wait for, what it answers, and under which address.
    word text NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE {schema}.letters (
    box bigint NOT NULL,
    place bigint NOT NULL,
    partition bigint NOT NULL,
    key bigint NOT NULL,
    key_text text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    position bigint NOT NULL,
    event_name text COLLATE "C" NOT NULL,
    -- What went wrong; null when it only waits behind another one of its key.
    error text,
    attempts bigint,
    first_failed_at timestamptz,
    last_failed_at timestamptz,
    parked_at timestamptz NOT NULL,
    retry boolean NOT NULL DEFAULT false,
    -- Whether its event had been done with before, and came again after a reset.
    replay boolean NOT NULL,
    -- Whether it is the first of its key.
    head boolean NOT NULL DEFAULT false,
    edited json,
    -- Serves the list.
    PRIMARY KEY (box, place),
    CHECK (num_nulls(error, attempts, first_failed_at, last_failed_at) IN (0, 4))
);
-- Serve the queue of a key, the keys of a partition, what is due, and the oldest of a partition.
CREATE INDEX letters_by_key ON {schema}.letters (box, partition, key, place);
CREATE INDEX letters_first ON {schema}.letters (box, partition, key, place) WHERE head;
CREATE INDEX letters_due ON {schema}.letters (box, partition, place) WHERE head AND (retry OR error IS NULL);
CREATE INDEX letters_by_age ON {schema}.letters (box, partition, parked_at);
-- Serve lists of some, of each subscription.
CREATE INDEX letters_by_key_text ON {schema}.letters (key_text, box, place);
CREATE INDEX letters_by_event_name ON {schema}.letters (event_name, box, place);
CREATE INDEX letters_failed ON {schema}.letters (box, place) WHERE error IS NOT NULL;
-- Serve those who ask for many, chunk by chunk: what was asked for before is not gone through again.
CREATE INDEX letters_unasked ON {schema}.letters (box, place) WHERE NOT retry;
CREATE INDEX letters_asked ON {schema}.letters (box, place) WHERE retry;
CREATE INDEX letters_unasked_by_key ON {schema}.letters (box, partition, key, place) WHERE NOT retry;

-- Subscriptions by name, a row for each partition: one of them, or so many behind a name.
CREATE FUNCTION {schema}.list_subscriptions(p_name text, p_after text, p_limit bigint) RETURNS TABLE (
    name text, source text, stream text, start_after bigint, paused boolean, created_at timestamptz, members bigint,
    partition bigint, epoch bigint, owner uuid, checkpoint bigint, letters bigint, oldest_letter_at timestamptz, incarnation bigint,
    kept_as text, handled bigint
) LANGUAGE sql STABLE
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT s.name, s.source, s.stream, s.start_after, s.paused, s.created_at,
        (SELECT count(*) FROM {schema}.subscription_members m
            WHERE m.subscription = s.name AND m.expires_at > clock_timestamp()),
        p.partition, p.epoch, CASE WHEN p.expires_at > clock_timestamp() THEN p.owner END, p.checkpoint, p.letters,
        (SELECT min(l.parked_at) FROM {schema}.letters l
            WHERE l.box = s.box AND l.partition = p.partition), s.incarnation, s.kept_as, p.handled
    FROM (
        SELECT * FROM {schema}.subscriptions
        WHERE (p_name IS NULL OR subscriptions.name = p_name) AND (p_after IS NULL OR subscriptions.name > p_after)
        ORDER BY subscriptions.name LIMIT p_limit
    ) s
    JOIN {schema}.subscription_partitions p ON p.subscription = s.name
    ORDER BY s.name, p.partition
$$;

-- Where a subscription begins that begins now: behind the end of a stream, or of the log.
CREATE FUNCTION {schema}.current_place(p_stream text) RETURNS bigint LANGUAGE sql STABLE
AS $$
    SELECT CASE
        WHEN p_stream IS NULL THEN (SELECT position FROM {schema}.log WHERE one)
        ELSE coalesce((SELECT version FROM {schema}.versioned_streams WHERE name = p_stream), 0)
    END
$$;

-- Makes a subscription unless it is there; what is there then. Of several that make it at once, all but one wait and find it.
CREATE FUNCTION {schema}.open_subscription(
    p_name text, p_partitions bigint, p_start bigint, p_current boolean, p_stream text, p_source text
) RETURNS TABLE (
    name text, source text, stream text, start_after bigint, paused boolean, created_at timestamptz, members bigint,
    partition bigint, epoch bigint, owner uuid, checkpoint bigint, letters bigint, oldest_letter_at timestamptz, incarnation bigint,
    kept_as text, handled bigint
) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    first_epoch bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.subscriptions s WHERE s.name = p_name) THEN
        IF p_current THEN
            p_start := {schema}.current_place(p_stream);
        END IF;
        first_epoch := coalesce((SELECT e.epoch FROM {schema}.past_epochs e WHERE e.name = p_name), 0);
        INSERT INTO {schema}.subscriptions (name, kept_as, source, stream, start_after, created_at, incarnation)
        VALUES (p_name, coalesce((SELECT e.kept_as FROM {schema}.past_epochs e WHERE e.name = p_name), p_name), p_source,
            p_stream, p_start, clock_timestamp(), first_epoch)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO {schema}.subscription_partitions (subscription, partition, epoch, checkpoint)
            SELECT p_name, number, first_epoch, coalesce(p_start, 0)
            FROM generate_series(0, p_partitions - 1) AS number;
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM {schema}.list_subscriptions(p_name, NULL, 1);
END $$;

-- Locks partitions of a subscription, in order; null is all of them.
CREATE FUNCTION {schema}.lock_partitions(p_name text, p_partitions bigint[]) RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM FROM {schema}.subscription_partitions p
    WHERE p.subscription = p_name AND (p_partitions IS NULL OR p.partition = ANY (p_partitions))
    ORDER BY p.partition FOR NO KEY UPDATE;
END $$;

-- Gives back, renews and claims leases, and counts the node as a member or, when it leaves, no longer: then nothing is its own
-- either. How all partitions stand then. No row: there is no such subscription, or another one of that name.
CREATE FUNCTION {schema}.keep_leases(
    p_name text, p_incarnation bigint, p_node uuid, p_lease_ms bigint, p_leave boolean, p_release bigint[], p_release_epochs bigint[],
    p_hold bigint[], p_hold_epochs bigint[], p_claim bigint[]
) RETURNS TABLE (
    paused boolean, resets bigint, members bigint, partition bigint, epoch bigint, owner uuid, checkpoint bigint,
    handled bigint, letters bigint, due boolean
) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    is_paused boolean;
    times_reset bigint;
    its_box bigint;
    moment timestamptz;
    until timestamptz;
BEGIN
    SELECT s.paused, s.resets, s.box INTO is_paused, times_reset, its_box FROM {schema}.subscriptions s
    WHERE s.name = p_name AND s.incarnation = p_incarnation FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM {schema}.lock_partitions(p_name, CASE WHEN NOT p_leave THEN p_release || p_hold || p_claim END);
    -- Whoever waited for the locks counts from then on.
    moment := clock_timestamp();
    until := moment + p_lease_ms * interval '1 millisecond';
    DELETE FROM {schema}.subscription_members m
    WHERE m.subscription = p_name AND (m.expires_at <= moment OR p_leave AND m.node = p_node);
    IF NOT p_leave THEN
        INSERT INTO {schema}.subscription_members (subscription, node, expires_at) VALUES (p_name, p_node, until)
        ON CONFLICT (subscription, node) DO UPDATE SET expires_at = excluded.expires_at;
    END IF;
    UPDATE {schema}.subscription_partitions p SET owner = NULL, expires_at = NULL
    FROM unnest(p_release, p_release_epochs) AS lease (partition, epoch)
    WHERE p.subscription = p_name AND p.partition = lease.partition AND p.epoch = lease.epoch AND p.owner = p_node;
    IF p_leave THEN
        UPDATE {schema}.subscription_partitions p SET owner = NULL, expires_at = NULL
        WHERE p.subscription = p_name AND p.owner = p_node;
    END IF;
    UPDATE {schema}.subscription_partitions p SET expires_at = until
    FROM unnest(p_hold, p_hold_epochs) AS lease (partition, epoch)
    WHERE p.subscription = p_name AND p.partition = lease.partition AND p.epoch = lease.epoch AND p.owner = p_node;
    UPDATE {schema}.subscription_partitions p SET epoch = p.epoch + 1, owner = p_node, expires_at = until
    WHERE p.subscription = p_name AND p.partition = ANY (p_claim) AND (p.owner IS NULL OR p.expires_at <= moment);
    RETURN QUERY
    SELECT is_paused, times_reset,
        (SELECT count(*) FROM {schema}.subscription_members m WHERE m.subscription = p_name), p.partition, p.epoch,
        CASE WHEN p.expires_at > moment THEN p.owner END, p.checkpoint, p.handled, p.letters,
        p.letters > 0 AND EXISTS (
            SELECT FROM {schema}.letters l WHERE l.box = its_box AND l.partition = p.partition
                AND l.head AND (l.retry OR l.error IS NULL)
        )
    FROM {schema}.subscription_partitions p WHERE p.subscription = p_name ORDER BY p.partition;
END $$;

-- Those of these partitions whose last lease has another epoch than is said here, or that are not there.
CREATE FUNCTION {schema}.refused_partitions(p_name text, p_partitions bigint[], p_epochs bigint[])
RETURNS SETOF bigint LANGUAGE sql STABLE
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT DISTINCT asked.partition FROM unnest(p_partitions, p_epochs) AS asked (partition, epoch)
    WHERE NOT EXISTS (
        SELECT FROM {schema}.subscription_partitions p
        WHERE p.subscription = p_name AND p.partition = asked.partition AND p.epoch = asked.epoch
    )
    ORDER BY 1
$$;

-- Moves checkpoints forward; the partitions that were refused.
CREATE FUNCTION {schema}.save_subscription_checkpoints(
    p_name text, p_partitions bigint[], p_epochs bigint[], p_places bigint[]
) RETURNS TABLE (partition bigint) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM {schema}.lock_partitions(p_name, p_partitions);
    UPDATE {schema}.subscription_partitions p
    SET checkpoint = asked.place, handled = greatest(p.handled, asked.place)
    FROM (
        SELECT partition, epoch, max(place) AS place
        FROM unnest(p_partitions, p_epochs, p_places) AS one (partition, epoch, place) GROUP BY partition, epoch
    ) asked
    WHERE p.subscription = p_name AND p.partition = asked.partition AND p.epoch = asked.epoch
        AND p.checkpoint < asked.place;
    RETURN QUERY SELECT * FROM {schema}.refused_partitions(p_name, p_partitions, p_epochs);
END $$;

-- Pauses a subscription or lets it go on. Returns 0 letters, or -1 when there is no such subscription.
CREATE FUNCTION {schema}.pause_subscription(p_name text, p_paused boolean) RETURNS bigint LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE {schema}.subscriptions SET paused = p_paused WHERE name = p_name;
    RETURN CASE WHEN FOUND THEN 0 ELSE -1 END;
END $$;

-- Loses the box of a subscription. Returns how many dead letters are in it, as its partitions count them: they are not looked at.
-- Whoever calls it holds the locks on the subscription and its partitions.
CREATE FUNCTION {schema}.lose_box(p_name text) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO {schema}.lost_boxes (box) SELECT s.box FROM {schema}.subscriptions s WHERE s.name = p_name;
    RETURN (SELECT coalesce(sum(p.letters), 0) FROM {schema}.subscription_partitions p WHERE p.subscription = p_name);
END $$;

-- Lets a subscription begin elsewhere: moves every checkpoint, takes every lease away and loses its dead letters. Returns how
-- many those were, or -1 when there is no such subscription.
CREATE FUNCTION {schema}.reset_subscription(p_name text, p_start bigint, p_current boolean) RETURNS bigint
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    followed text;
    discarded bigint;
BEGIN
    SELECT stream INTO followed FROM {schema}.subscriptions WHERE name = p_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    PERFORM {schema}.lock_partitions(p_name, NULL);
    IF p_current THEN
        p_start := {schema}.current_place(followed);
    END IF;
    discarded := {schema}.lose_box(p_name);
    UPDATE {schema}.subscriptions SET start_after = p_start, resets = resets + 1, box = DEFAULT WHERE name = p_name;
    UPDATE {schema}.subscription_partitions
    SET epoch = epoch + 1, owner = NULL, expires_at = NULL, checkpoint = coalesce(p_start, 0), letters = 0
    WHERE subscription = p_name;
    RETURN discarded;
END $$;

-- A stream is gone for good, and one of its name begins with version 1 again: so does whatever follows it. Returns how many dead
-- letters went.
CREATE FUNCTION {schema}.reset_followers(p_stream text) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    follower text;
    discarded bigint := 0;
BEGIN
    FOR follower IN SELECT name FROM {schema}.subscriptions WHERE stream = p_stream ORDER BY name LOOP
        -- One that is deleted at this moment says -1.
        discarded := discarded + greatest({schema}.reset_subscription(follower, NULL, false), 0);
        -- What was handled was of the stream that is gone.
        UPDATE {schema}.subscription_partitions SET handled = 0 WHERE subscription = follower;
    END LOOP;
    RETURN discarded;
END $$;

-- Removes a subscription with all that belongs to it. Returns how many dead letters that were, or -1 when there is no such
-- subscription.
CREATE FUNCTION {schema}.delete_subscription(p_name text) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    discarded bigint;
BEGIN
    PERFORM FROM {schema}.subscriptions WHERE name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    PERFORM {schema}.lock_partitions(p_name, NULL);
    INSERT INTO {schema}.past_epochs (name, epoch, kept_as)
    SELECT p_name, max(p.epoch) + 1, s.kept_as
    FROM {schema}.subscriptions s JOIN {schema}.subscription_partitions p ON p.subscription = s.name
    WHERE s.name = p_name GROUP BY s.kept_as
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, kept_as = excluded.kept_as;
    discarded := {schema}.lose_box(p_name);
    DELETE FROM {schema}.subscription_members WHERE subscription = p_name;
    DELETE FROM {schema}.subscription_partitions WHERE subscription = p_name;
    DELETE FROM {schema}.subscriptions WHERE name = p_name;
    RETURN discarded;
END $$;

-- Gives a subscription another name, with all that belongs to it, and takes every lease away: its epochs are such as no lease of either
-- name had. What it is kept as stays, and what is opened under its old name gets another one. Returns how many dead letters it has, -1 when there is no such subscription, or -2 when another has the new name.
CREATE FUNCTION {schema}.rename_subscription(p_name text, p_to text) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    first_epoch bigint;
    its_box bigint;
BEGIN
    PERFORM FROM {schema}.subscriptions WHERE name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    -- Whoever opens one of the new name at this moment is waited for, or waits.
    INSERT INTO {schema}.subscriptions (name, kept_as, source, stream, start_after, paused, created_at, incarnation)
    SELECT p_to, kept_as, source, stream, start_after, paused, created_at, incarnation
    FROM {schema}.subscriptions WHERE name = p_name
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN -2;
    END IF;
    PERFORM {schema}.lock_partitions(p_name, NULL);
    SELECT coalesce(max(epoch), 0) + 1 INTO first_epoch FROM {schema}.subscription_partitions WHERE subscription = p_name;
    INSERT INTO {schema}.past_epochs (name, epoch, kept_as) VALUES (p_name, first_epoch, p_name || '@' || first_epoch)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, kept_as = excluded.kept_as;
    SELECT max(epoch) INTO first_epoch FROM {schema}.past_epochs WHERE name IN (p_name, p_to);
    UPDATE {schema}.subscriptions SET incarnation = first_epoch WHERE name = p_to;
    UPDATE {schema}.subscription_partitions
    SET subscription = p_to, epoch = first_epoch, owner = NULL, expires_at = NULL WHERE subscription = p_name;
    DELETE FROM {schema}.subscription_members WHERE subscription = p_name;
    -- Both rows cannot have the box at a time: the new one has had another so far, in which is nothing.
    DELETE FROM {schema}.subscriptions WHERE name = p_name RETURNING box INTO its_box;
    UPDATE {schema}.subscriptions SET box = its_box WHERE name = p_to;
    RETURN (SELECT coalesce(sum(p.letters), 0) FROM {schema}.subscription_partitions p WHERE p.subscription = p_to);
END $$;
