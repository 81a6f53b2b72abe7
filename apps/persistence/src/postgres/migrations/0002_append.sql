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
    recorded_at timestamptz NOT NULL
);

-- Writes the events of a group, if what the writer believes still holds; raises UM001 if not.
--
-- Takes the log's row lock first, always, so that writers never wait for each other crosswise. Then verifies what
-- the plan rests on:
--   * If the log stands where the writer last saw it (p_head), nobody else wrote, and what the writer remembers
--     of streams is exact. Otherwise (or when p_head is null) each stream's version before the group
--     (p_streams at p_versions) must be there; that it is the last one follows from the unique index.
--   * No stream was deleted since: p_revision.
-- New streams (p_new) get ids after the last one; events name them by -1, -2, ... in that order.
-- Events are in log order; p_recorded_at is empty, or says for each when it happened if that is not p_now, and
-- p_new_at the same for the first event of each new stream.
-- Returns the position and stream id before the group's first.
--
-- The planner settings make the check look up each version in the unique index, whatever the statistics said
-- when the plan was cached. lock_timeout bounds the wait for other writers.
CREATE FUNCTION {schema}.append_group(
    p_head bigint, p_revision bigint, p_now timestamptz,
    p_streams bigint[], p_versions bigint[], p_new text[],
    p_stream_ids bigint[], p_stream_versions bigint[], p_event_ids uuid[], p_types text[], p_schemas int[],
    p_correlation_ids uuid[], p_causation_ids uuid[], p_data json[], p_metadata json[],
    p_recorded_at timestamptz[], p_new_at timestamptz[],
    OUT base_position bigint, OUT base_stream bigint
) LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    events int := cardinality(p_event_ids);
    news int := cardinality(p_new);
    now_revision bigint;
    found_streams int;
BEGIN
    UPDATE {schema}.log SET position = position + events, last_stream = last_stream + news
    WHERE one
    RETURNING position - events, last_stream - news, revision INTO base_position, base_stream, now_revision;
    IF now_revision <> p_revision THEN
        RAISE EXCEPTION 'streams were changed' USING ERRCODE = 'UM001';
    END IF;
    IF cardinality(p_streams) > 0 AND base_position IS DISTINCT FROM p_head THEN
        SELECT count(*) INTO found_streams
        FROM unnest(p_streams, p_versions) AS believed (id, version)
        JOIN {schema}.events e ON e.stream_id = believed.id AND e.version = believed.version;
        IF found_streams <> cardinality(p_streams) THEN
            RAISE EXCEPTION 'a stream is not where it was expected' USING ERRCODE = 'UM001';
        END IF;
    END IF;
    IF news > 0 THEN
        INSERT INTO {schema}.streams (stream_id, name, created_at)
        SELECT base_stream + ordinal, name, coalesce(created_at, p_now)
        FROM unnest(p_new, p_new_at) WITH ORDINALITY AS new (name, created_at, ordinal);
    END IF;
    INSERT INTO {schema}.events (position, stream_id, version, event_id, type, schema, recorded_at,
        correlation_id, causation_id, data, metadata)
    SELECT base_position + ordinal, CASE WHEN stream_id < 0 THEN base_stream - stream_id ELSE stream_id END,
        version, event_id, type, schema, coalesce(recorded_at, p_now), correlation_id, causation_id, data, metadata
    FROM unnest(p_stream_ids, p_stream_versions, p_event_ids, p_types, p_schemas, p_correlation_ids,
        p_causation_ids, p_data, p_metadata, p_recorded_at) WITH ORDINALITY
        AS new (stream_id, version, event_id, type, schema, correlation_id, causation_id, data, metadata,
            recorded_at, ordinal);
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
