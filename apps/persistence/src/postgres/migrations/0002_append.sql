-- What travels with an append beside its events, and the writing of a group.

-- Uniqueness reservations: at most one owner each.
CREATE TABLE {schema}.claims (
    scope text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, value)
);

-- Commands that were carried out, with their first replies.
CREATE TABLE {schema}.commands (
    command_id uuid PRIMARY KEY,
    reply json NOT NULL,
    last_position bigint,
    recorded_at timestamptz NOT NULL,
    -- Whether it is never forgotten.
    for_good boolean NOT NULL DEFAULT false
);
-- Serves forgetting the oldest. Times rise, so an insert only ever adds behind its last entry.
CREATE INDEX commands_by_time ON {schema}.commands (recorded_at) WHERE NOT for_good;

-- Work that appends leave behind. Numbers rise in the order of commits and are never given out again.
CREATE TABLE {schema}.outbox (
    number bigint PRIMARY KEY,
    outbox_id uuid NOT NULL UNIQUE,
    queue text COLLATE "C" NOT NULL,
    body json NOT NULL,
    -- Not to be done before; null is at once.
    due_at timestamptz,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX outbox_by_queue ON {schema}.outbox (queue, number);
CREATE INDEX outbox_by_due ON {schema}.outbox (queue, coalesce(due_at, recorded_at), number);

-- The numbers of these kinds, in order, making those that are missing. Called under the log's row lock.
CREATE FUNCTION {schema}.ensure_kinds(p_categories text[], p_types text[], p_schemas int[]) RETURNS int[]
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO {schema}.kinds (kind_id, category, type, schema)
    SELECT (SELECT coalesce(max(kind_id), 0) FROM {schema}.kinds) + row_number() OVER (), category, type, schema
    FROM (
        SELECT DISTINCT category, type, schema
        FROM unnest(p_categories, p_types, p_schemas) AS asked (category, type, schema)
        WHERE NOT EXISTS (
            SELECT FROM {schema}.kinds k
            WHERE k.category = asked.category AND k.type = asked.type AND k.schema = asked.schema
        )
    ) missing;
    RETURN ARRAY(
        SELECT k.kind_id
        FROM unnest(p_categories, p_types, p_schemas) WITH ORDINALITY AS asked (category, type, schema, ordinal)
        JOIN {schema}.kinds k USING (category, type, schema)
        ORDER BY ordinal
    );
END $$;

-- Writes what is kept of the spans that the log passes when its head goes from p_base to p_head. Called under the log's
-- row lock, so each writer waits for it: its plan is kept, and it goes through the events once. They come in order, and
-- grouping by a hash leaves them so within each kind; a sort for the groups would not, and would take longer than all the rest.
CREATE FUNCTION {schema}.close_spans(p_base bigint, p_head bigint) RETURNS void
LANGUAGE plpgsql
SET jit = off SET enable_sort = off
AS $$
BEGIN
    WITH kept AS MATERIALIZED (
        SELECT first_position, kind_id, count(*) AS events, array_agg(place) AS places,
            min(recorded_at) AS earliest, max(recorded_at) AS latest
        FROM (
            SELECT (position - 1) / 4096 * 4096 + 1 AS first_position, ((position - 1) % 4096)::smallint AS place,
                kind_id, recorded_at
            FROM {schema}.all_events
            WHERE position > p_base / 4096 * 4096 AND position <= p_head / 4096 * 4096
            ORDER BY position
        ) passed
        GROUP BY first_position, kind_id
    ), listed AS (
        INSERT INTO {schema}.span_kinds (first_position, kind_id, events, places)
        SELECT first_position, kind_id, events, places FROM kept
    )
    INSERT INTO {schema}.spans (first_position, min_recorded_at, max_recorded_at)
    SELECT first_position, min(earliest), max(latest) FROM kept GROUP BY first_position;
END $$;

-- Writes the events of a group, if what the writer believes still holds; raises UM001 if not.
--
-- Takes the log's row lock first, always, so that writers never wait for each other crosswise. Then verifies what
-- the plan rests on:
--   * If the log stands where the writer last saw it (p_head), nobody else wrote, and what the writer remembers
--     of streams is exact. Otherwise (or when p_head is null) each stream's version before the group
--     (p_streams at p_versions) must be there; that it is the last one follows from the unique index.
--   * No stream was deleted since: p_revision.
-- New streams (p_new) get ids after the last one; events name them by -1, -2, ... in that order. Likewise kinds that
-- the writer does not know (p_kind_*), which somebody else may have made meanwhile.
-- Events are in log order; p_recorded_at is empty, or says for each when it happened if that is not p_now, and
-- p_new_at the same for the first event of each new stream. p_subjects, p_bytes and p_tags (the tags of each event, a line
-- for each) are empty when there are none.
-- An event id that is in the archive raises UM001, too: the unique index knows only those of `events`.
-- Returns the position and stream id before the group's first, and the numbers of the kinds in p_kind_*.
--
-- The planner settings make the check look up each version in the unique index, whatever the statistics said
-- when the plan was cached. lock_timeout bounds the wait for other writers.
CREATE FUNCTION {schema}.append_group(
    p_head bigint, p_revision bigint, p_now timestamptz,
    p_streams bigint[], p_versions bigint[], p_new text[],
    p_kind_categories text[], p_kind_types text[], p_kind_schemas int[],
    p_stream_ids bigint[], p_stream_versions bigint[], p_event_ids uuid[], p_kind_ids int[],
    p_correlation_ids uuid[], p_causation_ids uuid[], p_subjects text[],
    p_data json[], p_bytes bytea[], p_metadata json[], p_recorded_at timestamptz[], p_new_at timestamptz[],
    p_tags text[],
    OUT base_position bigint, OUT base_stream bigint, OUT new_kinds int[]
) LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    events int := cardinality(p_event_ids);
    news int := cardinality(p_new);
    now_revision bigint;
    archived bigint;
    found_streams int;
BEGIN
    UPDATE {schema}.log SET position = position + events, last_stream = last_stream + news
    WHERE one
    RETURNING position - events, last_stream - news, revision, archived_to
    INTO base_position, base_stream, now_revision, archived;
    IF now_revision <> p_revision THEN
        RAISE EXCEPTION 'streams were changed' USING ERRCODE = 'UM001';
    END IF;
    IF cardinality(p_streams) > 0 AND base_position IS DISTINCT FROM p_head THEN
        SELECT count(*) INTO found_streams
        FROM unnest(p_streams, p_versions) AS believed (id, version)
        JOIN {schema}.all_events e ON e.stream_id = believed.id AND e.version = believed.version;
        IF found_streams <> cardinality(p_streams) THEN
            RAISE EXCEPTION 'a stream is not where it was expected' USING ERRCODE = 'UM001';
        END IF;
    END IF;
    IF archived > 0 AND EXISTS (SELECT FROM {schema}.archive WHERE event_id = ANY (p_event_ids)) THEN
        RAISE EXCEPTION 'an event is in the archive' USING ERRCODE = 'UM001';
    END IF;
    IF news > 0 THEN
        INSERT INTO {schema}.streams (stream_id, name, created_at)
        SELECT base_stream + ordinal, name, coalesce(created_at, p_now)
        FROM unnest(p_new, p_new_at) WITH ORDINALITY AS new (name, created_at, ordinal);
    END IF;
    IF cardinality(p_kind_categories) > 0 THEN
        new_kinds := {schema}.ensure_kinds(p_kind_categories, p_kind_types, p_kind_schemas);
        p_kind_ids := ARRAY(
            SELECT CASE WHEN kind_id < 0 THEN new_kinds[-kind_id] ELSE kind_id END
            FROM unnest(p_kind_ids) WITH ORDINALITY AS given (kind_id, ordinal) ORDER BY ordinal
        );
    END IF;
    INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id,
        correlation_id, causation_id, subject, tags, data, bytes, metadata)
    SELECT base_position + ordinal, CASE WHEN stream_id < 0 THEN base_stream - stream_id ELSE stream_id END,
        version, coalesce(recorded_at, p_now), kind_id, event_id, correlation_id, causation_id,
        subject, string_to_array(tags, E'\n'), data, bytes, metadata
    FROM unnest(p_stream_ids, p_stream_versions, p_event_ids, p_kind_ids, p_correlation_ids, p_causation_ids,
        p_subjects, p_tags, p_data, p_bytes, p_metadata, p_recorded_at) WITH ORDINALITY
        AS new (stream_id, version, event_id, kind_id, correlation_id, causation_id,
            subject, tags, data, bytes, metadata, recorded_at, ordinal);
    IF cardinality(p_tags) > 0 THEN
        INSERT INTO {schema}.event_tags (position, kind_id, tag)
        SELECT base_position + ordinal, kind_id, tag
        FROM unnest(p_tags, p_kind_ids) WITH ORDINALITY AS new (tags, kind_id, ordinal),
            unnest(string_to_array(new.tags, E'\n')) AS tag;
    END IF;
    IF (base_position + events) / 4096 > base_position / 4096 THEN
        PERFORM {schema}.close_spans(base_position, base_position + events);
    END IF;
END $$;

-- Tags, a line for each, with the rarest between two positions first: among its events those with the others are looked for. No more
-- than some are counted of each, so where none is rare they keep their order.
CREATE FUNCTION {schema}.rarest_first(p_tags text, p_first bigint, p_last bigint)
RETURNS text LANGUAGE plpgsql STABLE
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF position(E'\n' IN p_tags) = 0 THEN
        RETURN p_tags;
    END IF;
    RETURN (
        SELECT string_agg(counted.tag, E'\n' ORDER BY counted.events, counted.ordinal) FROM (
            SELECT own.tag, own.ordinal, (
                SELECT count(*) FROM (
                    SELECT FROM {schema}.event_tags t WHERE t.tag = own.tag AND t.position BETWEEN p_first AND p_last LIMIT 250
                ) AS few
            ) AS events
            FROM unnest(string_to_array(p_tags, E'\n')) WITH ORDINALITY AS own (tag, ordinal)
        ) AS counted
    );
END $$;

-- Of conditions, each item of a query (p_tags all of the tags and p_names the names, a line for each; null names are any) with
-- the position behind which it must find nothing: the numbers of those that find something, with the first position. What this
-- transaction has looked through before, up to umbel.looked_to, is not looked through again.
CREATE FUNCTION {schema}.find_tagged(p_numbers int[], p_after bigint[], p_tags text[], p_names text[])
RETURNS TABLE (number int, first_position bigint)
LANGUAGE plpgsql STABLE
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN QUERY
    SELECT asked.number, min(found.position)
    FROM (
        SELECT given.number, string_to_array(given.tags, E'\n') AS tags, given.names IS NULL AS any_name,
            greatest(given.after, nullif(current_setting('umbel.looked_to', true), '')::bigint) AS after,
            ARRAY(SELECT {schema}.kinds_of(string_to_array(given.names, E'\n'), NULL)) AS kinds
        FROM unnest(p_numbers, p_after, p_tags, p_names) AS given (number, after, tags, names)
    ) asked
    CROSS JOIN LATERAL (
        SELECT t.position FROM {schema}.event_tags t
        WHERE t.tag = asked.tags[1] AND t.position > asked.after
            AND (asked.any_name OR t.kind_id = ANY (asked.kinds))
            AND NOT EXISTS (
                SELECT FROM unnest(asked.tags[2:]) AS other (tag)
                WHERE NOT EXISTS (
                    SELECT FROM {schema}.event_tags o WHERE o.tag = other.tag AND o.position = t.position
                )
            )
        ORDER BY t.position LIMIT 1
    ) found
    GROUP BY asked.number;
END $$;

-- The same, asked before the transaction takes the log's lock: so what lies between a condition's position and the log's present end, be it
-- the whole log, is looked through while others append, and under the lock only what came since. Where all positions are near the end,
-- looking twice is not worth it, and nothing is found. The rarest tag of each item leads; under the lock, where little is left to look
-- through, any is as good.
CREATE FUNCTION {schema}.look_ahead(p_numbers int[], p_after bigint[], p_tags text[], p_names text[])
RETURNS TABLE (number int, first_position bigint) LANGUAGE plpgsql
AS $$
DECLARE
    head bigint;
BEGIN
    SELECT log.position INTO head FROM {schema}.log WHERE one;
    IF head - 64 <= ALL (p_after) THEN
        RETURN;
    END IF;
    p_tags := ARRAY(
        SELECT {schema}.rarest_first(given.tags, given.after + 1, head)
        FROM unnest(p_tags, p_after) WITH ORDINALITY AS given (tags, after, ordinal) ORDER BY given.ordinal
    );
    RETURN QUERY SELECT found.number, found.first_position FROM {schema}.find_tagged(p_numbers, p_after, p_tags, p_names) AS found;
    PERFORM set_config('umbel.looked_to', head::text, true);
END $$;

-- Raises UM001 if a condition does not hold by what is found so.
CREATE FUNCTION {schema}.check_conditions(p_after bigint[], p_tags text[], p_names text[])
RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM {schema}.look_ahead(ARRAY(SELECT generate_series(1, cardinality(p_after))), p_after, p_tags, p_names)
    ) THEN
        RAISE EXCEPTION 'a condition does not hold' USING ERRCODE = 'UM001';
    END IF;
END $$;

-- Raises UM001 if a condition does not hold: if one of its items finds an event behind its position that was stored before
-- the group, which is p_events long; or if that position is beyond the log, where the writer has not decided it. To be
-- called after append_group, so under the log's row lock.
CREATE FUNCTION {schema}.verify_conditions(p_events bigint, p_after bigint[], p_tags text[], p_names text[])
RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    base bigint;
BEGIN
    SELECT position - p_events INTO base FROM {schema}.log WHERE one;
    IF base < ANY (p_after)
        OR EXISTS (
            SELECT FROM {schema}.find_tagged(ARRAY(SELECT generate_series(1, cardinality(p_after))), p_after, p_tags, p_names)
            WHERE first_position <= base
        )
    THEN
        RAISE EXCEPTION 'a condition does not hold' USING ERRCODE = 'UM001';
    END IF;
END $$;

-- Changes owners of claims, each from p_before to p_after (null is nobody); raises UM001 if an owner is another.
-- Called under the log's row lock.
CREATE FUNCTION {schema}.write_claims(p_scopes text[], p_values text[], p_before text[], p_after text[])
RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    expected int;
    changed int;
BEGIN
    SELECT count(*) INTO expected FROM unnest(p_before, p_after) AS change (before, after)
    WHERE before IS NOT NULL AND after IS NULL;
    DELETE FROM {schema}.claims c USING unnest(p_scopes, p_values, p_before, p_after)
        AS change (scope, value, before, after)
    WHERE c.scope = change.scope AND c.value = change.value AND c.owner = change.before AND change.after IS NULL;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> expected THEN
        RAISE EXCEPTION 'a claim has another owner' USING ERRCODE = 'UM001';
    END IF;
    SELECT count(*) INTO expected FROM unnest(p_before, p_after) AS change (before, after)
    WHERE before IS NOT NULL AND after IS NOT NULL;
    UPDATE {schema}.claims c SET owner = change.after FROM unnest(p_scopes, p_values, p_before, p_after)
        AS change (scope, value, before, after)
    WHERE c.scope = change.scope AND c.value = change.value AND c.owner = change.before
        AND change.after IS NOT NULL;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> expected THEN
        RAISE EXCEPTION 'a claim has another owner' USING ERRCODE = 'UM001';
    END IF;
    INSERT INTO {schema}.claims (scope, value, owner)
    SELECT scope, value, after FROM unnest(p_scopes, p_values, p_before, p_after)
        AS change (scope, value, before, after)
    WHERE before IS NULL AND after IS NOT NULL;
END $$;

-- Takes what is done (p_done) out of the outbox, then adds entries, in order; one whose id is there already is left as it
-- is. Called under the log's row lock.
CREATE FUNCTION {schema}.write_outbox(
    p_done uuid[], p_ids uuid[], p_queues text[], p_bodies json[], p_due_at timestamptz[], p_now timestamptz
) RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    count int := cardinality(p_ids);
    last bigint;
BEGIN
    IF cardinality(p_done) > 0 THEN
        DELETE FROM {schema}.outbox WHERE outbox_id = ANY (p_done);
    END IF;
    IF count = 0 THEN
        RETURN;
    END IF;
    UPDATE {schema}.log SET last_outbox = last_outbox + count WHERE one RETURNING last_outbox - count INTO last;
    INSERT INTO {schema}.outbox (number, outbox_id, queue, body, due_at, recorded_at)
    SELECT last + ordinal, outbox_id, queue, body, due_at, p_now
    FROM unnest(p_ids, p_queues, p_bodies, p_due_at) WITH ORDINALITY AS new (outbox_id, queue, body, due_at, ordinal)
    ON CONFLICT (outbox_id) DO NOTHING;
END $$;
