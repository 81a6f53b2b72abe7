-- Upkeep: links, the acts that remove or move, subjects' keys.
--
-- All functions here are called under the log's row lock, in the transaction that also records what was done. Those that
-- may remove events say so by the setting umbel.upkeep, and take it back; as a clause of a function only a superuser could set it. The
-- planner settings make each look-up go through its index, whatever the statistics say; what is gone is carried in arrays, so that a step costs one
-- look-up for each event and never a walk over all of them for each.

-- The key that a subject's personal data is encrypted with. Dropped, the row stays, so that the subject gets no new one.
CREATE TABLE {schema}.subject_keys (
    subject text COLLATE "C" PRIMARY KEY,
    key bytea CHECK (octet_length(key) = 32),
    created_at timestamptz NOT NULL,
    forgotten_at timestamptz,
    CHECK ((key IS NULL) = (forgotten_at IS NOT NULL))
);

-- Links the events at p_positions, in order, to a stream behind p_version. A null p_stream is a new one of that name.
CREATE FUNCTION {schema}.add_links(
    p_stream bigint, p_name text, p_version bigint, p_positions bigint[], p_now timestamptz
) RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF p_stream IS NULL THEN
        UPDATE {schema}.log SET last_stream = last_stream + 1 WHERE one RETURNING last_stream INTO p_stream;
        INSERT INTO {schema}.streams (stream_id, name, created_at, plain)
        VALUES (p_stream, p_name, p_now, false);
    ELSIF EXISTS (SELECT FROM {schema}.streams WHERE stream_id = p_stream AND plain) THEN
        UPDATE {schema}.streams SET plain = false WHERE stream_id = p_stream;
    END IF;
    UPDATE {schema}.streams SET kept_version = p_version + cardinality(p_positions) WHERE stream_id = p_stream;
    INSERT INTO {schema}.links (stream_id, version, position)
    SELECT p_stream, p_version + ordinal, position
    FROM unnest(p_positions) WITH ORDINALITY AS new (position, ordinal);
END $$;

-- Removals for good that are under way: what one transaction should not do at once. Versions below before_version are to go and shown no
-- more; those below next_version are gone. The act is recorded with the last of them, as the request says.
CREATE TABLE {schema}.removals (
    stream_id bigint PRIMARY KEY,
    act_id uuid NOT NULL UNIQUE,
    request json NOT NULL,
    next_version bigint NOT NULL,
    before_version bigint NOT NULL,
    -- How much is gone.
    events bigint NOT NULL DEFAULT 0,
    links bigint NOT NULL DEFAULT 0
);

-- Begins to remove a stream that is at p_version, which it keeps, or its beginning: marks it, and shows nothing of it any more that has a
-- version below p_before. Where p_whole it takes no more events either. Returns the first version that there is something at.
CREATE FUNCTION {schema}.begin_removal(
    p_stream bigint, p_version bigint, p_before bigint, p_whole boolean, p_act uuid, p_request text, p_now timestamptz,
    OUT next_version bigint
) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE {schema}.streams
    SET deleted_at = CASE WHEN p_whole THEN coalesce(deleted_at, p_now) ELSE deleted_at END,
        first_version = greatest(first_version, p_before),
        plain = plain AND p_before <= p_version,
        kept_version = greatest(kept_version, p_version)
    WHERE stream_id = p_stream;
    next_version := least(
        (SELECT min(version) FROM {schema}.events WHERE stream_id = p_stream),
        (SELECT min(version) FROM {schema}.archive WHERE stream_id = p_stream),
        (SELECT min(version) FROM {schema}.links WHERE stream_id = p_stream),
        p_before
    );
    INSERT INTO {schema}.removals (stream_id, act_id, request, next_version, before_version)
    VALUES (p_stream, p_act, p_request::json, next_version, p_before);
END $$;

-- Lists events that are removed no longer among those of their kinds.
CREATE FUNCTION {schema}.unlist_kinds(p_positions bigint[], p_kinds int[]) RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    gone record;
BEGIN
    FOR gone IN
        SELECT kind_id, (position - 1) / 4096 * 4096 + 1 AS first_position, array_agg((position - 1) % 4096) AS places
        FROM unnest(p_positions, p_kinds) AS removed (position, kind_id) GROUP BY 1, 2
    LOOP
        DELETE FROM {schema}.span_kinds s
        WHERE s.kind_id = gone.kind_id AND s.first_position = gone.first_position
            AND s.events <= cardinality(gone.places);
        UPDATE {schema}.span_kinds s SET (events, places) = (
            SELECT count(*), array_agg(place::smallint ORDER BY place)
            FROM (SELECT unnest(s.places) AS place EXCEPT SELECT unnest(gone.places)) AS kept
        )
        WHERE s.kind_id = gone.kind_id AND s.first_position = gone.first_position;
    END LOOP;
END $$;

-- Takes a step of a removal: removes the stream's own events with versions from p_from to below p_upto, archived or not, all links to
-- them, and its own links there. Where p_room links to them go, there may be more: then these are all that goes, and the next step
-- begins at p_from again. Every stream that loses something keeps its version and counts what it lost. Returns how many went, and
-- where the next step begins.
CREATE FUNCTION {schema}.remove_step(
    p_stream bigint, p_from bigint, p_upto bigint, p_room bigint, OUT events bigint, OUT links bigint, OUT next_version bigint
) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    gone bigint[];
    kinds int[];
    losers bigint[];
    losses bigint[];
    own_links bigint := 0;
BEGIN
    PERFORM set_config('umbel.upkeep', 'on', true);
    SELECT coalesce(array_agg(position), '{}') INTO gone FROM {schema}.all_events
    WHERE stream_id = p_stream AND version >= p_from AND version < p_upto;

    WITH doomed AS (
        SELECT stream_id, version FROM {schema}.links WHERE position = ANY (gone) LIMIT p_room
    ), lost AS (
        DELETE FROM {schema}.links l USING doomed d WHERE l.stream_id = d.stream_id AND l.version = d.version
        RETURNING l.stream_id
    ), by_stream AS (
        SELECT stream_id, count(*) AS links FROM lost GROUP BY stream_id
    )
    SELECT array_agg(stream_id), array_agg(by_stream.links), coalesce(sum(by_stream.links), 0)
    INTO losers, losses, links
    FROM by_stream;

    events := 0;
    next_version := p_from;
    IF links < p_room THEN
        next_version := p_upto;
        WITH fresh AS (
            DELETE FROM {schema}.events WHERE stream_id = p_stream AND version >= p_from AND version < p_upto
            RETURNING position, kind_id, tags
        ), archived AS (
            DELETE FROM {schema}.archive WHERE stream_id = p_stream AND version >= p_from AND version < p_upto
            RETURNING position, kind_id, tags
        ), removed AS (
            SELECT * FROM fresh UNION ALL SELECT * FROM archived
        ), untagged AS (
            DELETE FROM {schema}.event_tags t USING removed r CROSS JOIN LATERAL unnest(r.tags) AS gone (tag)
            WHERE t.tag = gone.tag AND t.position = r.position
        )
        SELECT coalesce(array_agg(position), '{}'), coalesce(array_agg(kind_id), '{}') INTO gone, kinds FROM removed;
        events := cardinality(gone);
        PERFORM {schema}.unlist_kinds(gone, kinds);
        DELETE FROM {schema}.links WHERE stream_id = p_stream AND version >= p_from AND version < p_upto;
        GET DIAGNOSTICS own_links = ROW_COUNT;
    END IF;
    losers := losers || p_stream;
    losses := losses || (events + own_links);
    links := links + own_links;
    UPDATE {schema}.streams s SET removed = s.removed + loser.lost
    FROM unnest(losers, losses) AS loser (stream_id, lost)
    WHERE s.stream_id = loser.stream_id;
    UPDATE {schema}.removals r
    SET next_version = remove_step.next_version, events = r.events + remove_step.events, links = r.links + remove_step.links
    WHERE r.stream_id = p_stream;
    PERFORM set_config('umbel.upkeep', 'off', true);
END $$;

-- Ends a removal; of a whole stream nothing is left but its row, which goes now.
CREATE FUNCTION {schema}.end_removal(p_stream bigint, p_whole boolean) RETURNS void
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM set_config('umbel.upkeep', 'on', true);
    DELETE FROM {schema}.removals WHERE stream_id = p_stream;
    IF p_whole THEN
        -- Who is about to keep a snapshot holds this row, and has kept it before it is removed below.
        PERFORM FROM {schema}.streams WHERE stream_id = p_stream FOR UPDATE;
        DELETE FROM {schema}.snapshots n USING {schema}.streams s
        WHERE s.stream_id = p_stream AND n.stream = s.name;
        DELETE FROM {schema}.streams WHERE stream_id = p_stream;
    END IF;
    PERFORM set_config('umbel.upkeep', 'off', true);
END $$;

-- Moves events with positions up to p_through to the archive. Returns how many.
CREATE FUNCTION {schema}.archive_events(p_through bigint, OUT events bigint, OUT links bigint)
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM set_config('umbel.upkeep', 'on', true);
    INSERT INTO {schema}.archive SELECT * FROM {schema}.events WHERE position <= p_through;
    DELETE FROM {schema}.events WHERE position <= p_through;
    GET DIAGNOSTICS events = ROW_COUNT;
    links := 0;
    UPDATE {schema}.log SET archived_to = greatest(archived_to, p_through), revision = revision + 1 WHERE one;
    PERFORM set_config('umbel.upkeep', 'off', true);
END $$;

-- Drops a subject's key, also that of one that was never heard of, which then gets none.
CREATE FUNCTION {schema}.forget_subject(p_subject text, p_now timestamptz, OUT events bigint, OUT links bigint)
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO {schema}.subject_keys AS k (subject, created_at, forgotten_at) VALUES (p_subject, p_now, p_now)
    ON CONFLICT (subject) DO UPDATE SET key = NULL, forgotten_at = coalesce(k.forgotten_at, excluded.forgotten_at);
    events := 0;
    links := 0;
END $$;
