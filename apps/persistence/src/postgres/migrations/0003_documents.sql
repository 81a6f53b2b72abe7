-- Read models: JSON documents in named collections, found by key or by index entries that the program computes.

CREATE TABLE {schema}.documents (
    collection text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (collection, key)
);

-- One row per indexed value of a document; `value` compares bytewise like the JSON value it stands for.
CREATE TABLE {schema}.document_index (
    collection text COLLATE "C" NOT NULL,
    index_name text COLLATE "C" NOT NULL,
    value bytea NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, index_name, value, key)
);
-- Serves replacing the entries of a document, and finding its least value under an index, by the index alone.
CREATE INDEX document_index_by_key ON {schema}.document_index (collection, key, index_name, value);

-- Under which indexes documents of a collection have entries, sorted: each set of them that some document has or has had, once. So who sorts
-- by an index knows whether there may be documents without an entry, without looking at all. There are few, one for most collections,
-- and they stay when documents are removed: somebody may just be writing another one of that shape.
CREATE TABLE {schema}.document_shapes (
    collection text COLLATE "C" NOT NULL,
    indexes text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, indexes)
);

-- How far each projection has come. A checkpoint that was opened for a projection is a generation of it (see generations.rs of the
-- core): `name` and what follows are its own. Its documents are kept under its collections' names with `suffix` behind them.
CREATE TABLE {schema}.checkpoints (
    projection text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    name text COLLATE "C",
    version bigint NOT NULL DEFAULT 0,
    run bigint NOT NULL DEFAULT 0,
    phase text COLLATE "C" NOT NULL DEFAULT 'serving' CHECK (phase IN ('serving', 'building', 'retired', 'removed')),
    live_after bigint NOT NULL DEFAULT 0,
    suffix text COLLATE "C" NOT NULL DEFAULT '',
    collections text[] COLLATE "C" NOT NULL DEFAULT '{}',
    indexes text[] COLLATE "C" NOT NULL DEFAULT '{}',
    -- The statements that created its own tables, and the schema that these are in. Null where it has none.
    tables text[] COLLATE "C" NOT NULL DEFAULT '{}',
    tables_in text COLLATE "C",
    -- The names of the events that appends may project themselves; and whether they do: then its documents show all that is in the log.
    -- Writers remember which are joined, by the log's revision: whoever changes it holds the log's row lock, and counts the revision up.
    inline text[] COLLATE "C" NOT NULL DEFAULT '{}',
    joined boolean NOT NULL DEFAULT false
);
CREATE INDEX checkpoints_joined ON {schema}.checkpoints (projection) WHERE joined;
CREATE UNIQUE INDEX checkpoints_by_name ON {schema}.checkpoints (name, version, run);
CREATE UNIQUE INDEX checkpoints_serving ON {schema}.checkpoints (name) WHERE phase = 'serving';

-- Whose documents readers of a collection get: those with this suffix. Without a row, those without one.
CREATE TABLE {schema}.served (
    collection text COLLATE "C" PRIMARY KEY,
    suffix text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- What its documents are found by, as collection/index. Null: not known.
    indexes text[] COLLATE "C"
);

-- Replaces documents and their index entries. A null body deletes. Each document at most once, sorted, so that
-- two writers of the same documents do not wait for each other crosswise.
CREATE FUNCTION {schema}.write_documents(
    p_collections text[], p_keys text[], p_bodies json[],
    p_entry_collections text[], p_entry_keys text[], p_entry_indexes text[], p_entry_values bytea[]
) RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO {schema}.documents AS d (collection, key, body)
    SELECT collection, key, body FROM unnest(p_collections, p_keys, p_bodies) AS new (collection, key, body)
    WHERE body IS NOT NULL
    ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body;
    DELETE FROM {schema}.documents d USING unnest(p_collections, p_keys, p_bodies) AS gone (collection, key, body)
    WHERE d.collection = gone.collection AND d.key = gone.key AND gone.body IS NULL;
    DELETE FROM {schema}.document_index i USING unnest(p_collections, p_keys) AS old (collection, key)
    WHERE i.collection = old.collection AND i.key = old.key;
    INSERT INTO {schema}.document_index (collection, key, index_name, value)
    SELECT * FROM unnest(p_entry_collections, p_entry_keys, p_entry_indexes, p_entry_values);
    INSERT INTO {schema}.document_shapes (collection, indexes)
    SELECT DISTINCT collection, array_remove(array_agg(DISTINCT index_name), NULL) AS indexes FROM (
        SELECT collection, key, NULL AS index_name FROM unnest(p_collections, p_keys, p_bodies) AS new (collection, key, body)
        WHERE body IS NOT NULL
        UNION ALL
        SELECT * FROM unnest(p_entry_collections, p_entry_keys, p_entry_indexes) AS entry (collection, key, index_name)
    ) AS entries
    GROUP BY collection, key
    ORDER BY collection, indexes
    ON CONFLICT DO NOTHING;
END $$;

-- Raises UM001 unless these documents are as they were read; a null body: there is none. Called under the log's row lock, which is held by
-- all who change documents of joined generations.
CREATE FUNCTION {schema}.check_documents(p_collections text[], p_keys text[], p_bodies text[])
RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(p_collections, p_keys, p_bodies) AS believed (collection, key, body)
        LEFT JOIN {schema}.documents d ON d.collection = believed.collection AND d.key = believed.key
        WHERE d.body::text IS DISTINCT FROM believed.body
    ) THEN
        RAISE EXCEPTION 'a document is not as it was read' USING ERRCODE = 'UM001';
    END IF;
END $$;

-- Moves the checkpoints of joined generations to the log's position before a group of p_events events and so many of these as p_offsets
-- says, and ends that they are joined where p_joined does. Called under the log's row lock, after append_group.
CREATE FUNCTION {schema}.move_joined(p_events bigint, p_checkpoints text[], p_offsets bigint[], p_joined boolean[])
RETURNS void LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE {schema}.checkpoints c SET position = log.position - p_events + moved.step, joined = moved.joined
    FROM {schema}.log, unnest(p_checkpoints, p_offsets, p_joined) AS moved (checkpoint, step, joined)
    WHERE c.projection = moved.checkpoint;
    IF false = ANY (p_joined) THEN
        UPDATE {schema}.log SET revision = revision + 1 WHERE one;
    END IF;
END $$;

-- The names of collections with a generation's suffix behind them.
CREATE FUNCTION {schema}.suffixed(p_collections text[], p_suffix text)
RETURNS text[] LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(array_agg(collection || p_suffix ORDER BY ordinal), '{}')
    FROM unnest(p_collections) WITH ORDINALITY AS old (collection, ordinal)
$$;

-- Removes at most p_limit documents of the collections with their index entries. Returns how many.
CREATE FUNCTION {schema}.remove_documents(p_collections text[], p_limit bigint)
RETURNS bigint LANGUAGE sql
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    WITH old AS MATERIALIZED (
        SELECT collection, key FROM {schema}.documents WHERE collection = ANY (p_collections) LIMIT p_limit
    ), entries AS (
        DELETE FROM {schema}.document_index i USING old WHERE i.collection = old.collection AND i.key = old.key
    ), documents AS (
        DELETE FROM {schema}.documents d USING old WHERE d.collection = old.collection AND d.key = old.key
        RETURNING 1
    )
    SELECT count(*) FROM documents
$$;

-- Removes at most p_limit documents of the collections with their index entries, if the checkpoint stands at p_expected:
-- while it does nobody has written what must stay. Returns how many.
CREATE FUNCTION {schema}.clear_documents(p_projection text, p_expected bigint, p_collections text[], p_limit bigint)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    v_suffix text;
BEGIN
    IF p_expected = 0 THEN
        INSERT INTO {schema}.checkpoints (projection, position) VALUES (p_projection, 0) ON CONFLICT DO NOTHING;
    END IF;
    SELECT suffix INTO v_suffix FROM {schema}.checkpoints
    WHERE projection = p_projection AND position = p_expected AND phase IN ('serving', 'building') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    RETURN {schema}.remove_documents({schema}.suffixed(p_collections, v_suffix), p_limit);
END $$;

-- Moves a checkpoint from p_expected to p_position, empties the collections p_clear and writes documents with it, those of its
-- generation. Returns null, or, when nothing was written, where the checkpoint stands; -1 when the generation was retired. The checkpoint's
-- row is locked first, as by whoever retires it: after that nothing more is written.
CREATE FUNCTION {schema}.save_projection(
    p_projection text, p_expected bigint, p_position bigint, p_clear text[],
    p_collections text[], p_keys text[], p_bodies json[],
    p_entry_collections text[], p_entry_keys text[], p_entry_indexes text[], p_entry_values bytea[]
) RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    v_suffix text;
BEGIN
    IF p_expected = 0 THEN
        INSERT INTO {schema}.checkpoints AS c (projection, position) VALUES (p_projection, p_position)
        ON CONFLICT (projection) DO UPDATE SET position = excluded.position
        WHERE c.position = 0 AND c.phase IN ('serving', 'building')
        RETURNING c.suffix INTO v_suffix;
    ELSE
        UPDATE {schema}.checkpoints SET position = p_position
        WHERE projection = p_projection AND position = p_expected AND phase IN ('serving', 'building')
        RETURNING suffix INTO v_suffix;
    END IF;
    IF v_suffix IS NULL THEN
        RETURN coalesce((
            SELECT CASE WHEN phase IN ('serving', 'building') THEN position ELSE -1 END
            FROM {schema}.checkpoints WHERE projection = p_projection
        ), 0);
    END IF;
    IF v_suffix <> '' THEN
        p_clear := {schema}.suffixed(p_clear, v_suffix);
        p_collections := {schema}.suffixed(p_collections, v_suffix);
        p_entry_collections := {schema}.suffixed(p_entry_collections, v_suffix);
    END IF;
    IF cardinality(p_clear) > 0 THEN
        DELETE FROM {schema}.document_index WHERE collection = ANY (p_clear);
        DELETE FROM {schema}.documents WHERE collection = ANY (p_clear);
    END IF;
    PERFORM {schema}.write_documents(p_collections, p_keys, p_bodies, p_entry_collections, p_entry_keys,
        p_entry_indexes, p_entry_values);
    RETURN NULL;
END $$;

-- Lets the documents with this suffix serve a projection's collections, whoever else has had them.
CREATE FUNCTION {schema}.serve(p_name text, p_suffix text, p_collections text[], p_indexes text[])
RETURNS void LANGUAGE sql
AS $$
    DELETE FROM {schema}.served WHERE name = p_name;
    INSERT INTO {schema}.served (collection, suffix, name, indexes)
    SELECT collection, p_suffix, p_name, nullif(p_indexes, '{}') FROM unnest(p_collections) AS own (collection)
    ON CONFLICT (collection) DO UPDATE SET suffix = excluded.suffix, name = excluded.name, indexes = excluded.indexes;
$$;

-- Creates the tables of a generation in a schema of their own, which statements find them in by their plain names. Whoever may not create
-- schemas in this database is told so.
CREATE FUNCTION {schema}.create_tables(p_tables_in text, p_tables text[])
RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    v_path text := current_setting('search_path');
    v_table text;
BEGIN
    EXECUTE format('CREATE SCHEMA %I', p_tables_in);
    PERFORM set_config('search_path', quote_ident(p_tables_in), true);
    FOREACH v_table IN ARRAY p_tables LOOP
        BEGIN
            EXECUTE v_table;
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION '%: %', v_table, sqlerrm USING ERRCODE = sqlstate;
        END;
    END LOOP;
    PERFORM set_config('search_path', v_path, true);
END $$;

-- Removes the tables of a generation with their schema. What others have made of them is not theirs: then it is an error, and all of it
-- stays.
CREATE FUNCTION {schema}.drop_tables(p_tables_in text)
RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    v_tables text;
BEGIN
    SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO v_tables
    FROM pg_tables WHERE schemaname = p_tables_in;
    IF v_tables IS NOT NULL THEN
        EXECUTE 'DROP TABLE ' || v_tables;
    END IF;
    EXECUTE format('DROP SCHEMA IF EXISTS %I', p_tables_in);
END $$;

-- Makes a generation of a projection, of this version: its documents under names of their own unless it is the first, which serves. A
-- checkpoint that bears its name already becomes it; the first one goes on where that stands. When another projection has documents
-- under these names, the suffix tells whose these are: a collection may change hands, and what its former owner still writes and then
-- leaves is not the new one's. It is held by one at a time, whichever projection: two of them must not find the same names free.
CREATE FUNCTION {schema}.begin_generation(
    p_name text, p_version bigint, p_collections text[], p_indexes text[], p_tables text[], p_inline text[], p_serves boolean
) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    v_run bigint;
    v_checkpoint text;
    v_suffix text := '';
    v_tables_in text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.names_of_generations', 0));
    SELECT 1 + coalesce(max(run), 0) INTO v_run FROM {schema}.checkpoints WHERE name = p_name AND version = p_version;
    v_checkpoint := concat_ws('/', p_name, p_version, nullif(v_run, 1));
    -- What is left of one that was dropped is still to be removed under its names.
    IF NOT p_serves OR EXISTS (
        SELECT FROM {schema}.checkpoints WHERE name = p_name AND phase <> 'removed' AND suffix = ''
    ) THEN
        v_suffix := format('@%s.%s', p_version, v_run);
    END IF;
    IF cardinality(p_tables) > 0 THEN
        -- The store's name, as others may be in the same database; and what would be cut off must not make two the same.
        v_tables_in := concat(trim('"' FROM '{schema}'), '.', v_checkpoint);
        IF octet_length(v_tables_in) > 63 THEN
            v_tables_in := 'tables.' || md5(v_tables_in);
        END IF;
        PERFORM {schema}.create_tables(v_tables_in, p_tables);
    END IF;
    IF EXISTS (
        SELECT FROM {schema}.checkpoints
        WHERE name <> p_name AND phase <> 'removed' AND suffix = v_suffix AND collections && p_collections
    ) THEN
        v_suffix := format('@%s/%s.%s', p_name, p_version, v_run);
    END IF;
    IF p_serves THEN
        PERFORM {schema}.serve(p_name, v_suffix, p_collections, p_indexes);
    END IF;
    INSERT INTO {schema}.checkpoints AS c
        (projection, position, name, version, run, phase, live_after, suffix, collections, indexes, tables, tables_in, inline)
    SELECT v_checkpoint, 0, p_name, p_version, v_run,
        CASE WHEN p_serves THEN 'serving' ELSE 'building' END, log.position, v_suffix, p_collections, p_indexes,
        p_tables, v_tables_in, p_inline
    FROM {schema}.log
    ON CONFLICT (projection) DO UPDATE SET name = excluded.name, version = excluded.version, run = excluded.run,
        phase = excluded.phase, suffix = excluded.suffix, collections = excluded.collections,
        indexes = excluded.indexes, tables = excluded.tables, tables_in = excluded.tables_in,
        inline = excluded.inline,
        position = CASE WHEN p_serves AND v_tables_in IS NULL THEN c.position ELSE 0 END,
        live_after = CASE WHEN p_serves AND c.position > 0 THEN c.position ELSE excluded.live_after END;
END $$;

-- Held by whoever makes, retires or switches generations of a projection, to the end of the transaction. Those who save do not take it.
CREATE FUNCTION {schema}.lock_generations(p_name text) RETURNS void LANGUAGE sql
AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('{schema}.generations.' || p_name, 0))
$$;

-- Makes the generation that a version of a projection's rule needs, with its tables, unless it is there or a newer version serves.
CREATE FUNCTION {schema}.open_projection(
    p_name text, p_version bigint, p_collections text[], p_indexes text[], p_tables text[], p_inline text[]
)
RETURNS void LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    v_serving bigint;
BEGIN
    PERFORM {schema}.lock_generations(p_name);
    SELECT version INTO v_serving FROM {schema}.checkpoints WHERE name = p_name AND phase = 'serving';
    IF v_serving > p_version OR EXISTS (
        SELECT FROM {schema}.checkpoints
        WHERE name = p_name AND version = p_version AND phase IN ('serving', 'building')
    ) THEN
        RETURN;
    END IF;
    PERFORM {schema}.begin_generation(p_name, p_version, p_collections, p_indexes, p_tables, p_inline, v_serving IS NULL);
END $$;

-- Begins to build a projection anew by the version that serves, and gives up what such a rebuild has built so far. Returns 0; -1 when
-- nothing serves.
CREATE FUNCTION {schema}.rebuild_projection(p_name text)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    v_serving record;
BEGIN
    PERFORM {schema}.lock_generations(p_name);
    SELECT version, collections, indexes, tables, inline INTO v_serving FROM {schema}.checkpoints WHERE name = p_name AND phase = 'serving';
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    UPDATE {schema}.checkpoints SET phase = 'retired'
    WHERE name = p_name AND version = v_serving.version AND phase = 'building';
    PERFORM {schema}.begin_generation(p_name, v_serving.version, v_serving.collections, v_serving.indexes,
        v_serving.tables, v_serving.inline, false);
    RETURN 0;
END $$;

-- Retires all generations of a projection, and lets none serve. Called under the log's row lock. Returns 0; -1 when nothing of it is
-- left. All its rows are locked in one order, as by whoever switches.
CREATE FUNCTION {schema}.drop_projection(p_name text)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
BEGIN
    PERFORM {schema}.lock_generations(p_name);
    PERFORM FROM {schema}.checkpoints WHERE name = p_name ORDER BY version, run FOR UPDATE;
    IF NOT EXISTS (SELECT FROM {schema}.checkpoints WHERE name = p_name AND phase <> 'removed') THEN
        RETURN -1;
    END IF;
    IF EXISTS (SELECT FROM {schema}.checkpoints WHERE name = p_name AND joined) THEN
        UPDATE {schema}.log SET revision = revision + 1 WHERE one;
    END IF;
    UPDATE {schema}.checkpoints SET phase = 'retired', joined = false WHERE name = p_name AND phase IN ('serving', 'building');
    DELETE FROM {schema}.served WHERE name = p_name;
    RETURN 0;
END $$;

-- Lets the generation of a checkpoint serve, and retires those before it. Returns null; -1 when it was retired itself; where its checkpoint
-- stands when that is not p_expected, else, as behind, where that of the one that serves stands when it has come further. One with events
-- that appends may project is joined to them, also when it serves already: unless there is one behind its checkpoint, or the log goes
-- further than is to be looked through while others wait. Then one that is built serves all the same and is joined later; to one that
-- serves already that is told as behind, too.
-- The log's row is locked first, as by those who append, since they know by heart which generations are joined; then all rows of the
-- projection in one order, so that nothing is saved meanwhile, and nobody waits crosswise.
CREATE FUNCTION {schema}.switch_projection(p_projection text, p_expected bigint, OUT moved bigint, OUT behind bigint)
LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    v_own record;
    v_serving bigint;
    v_head bigint;
    v_joins boolean;
BEGIN
    SELECT position INTO v_head FROM {schema}.log WHERE one FOR UPDATE;
    SELECT name INTO v_own FROM {schema}.checkpoints WHERE projection = p_projection;
    IF v_own.name IS NULL THEN
        moved := -1;
        RETURN;
    END IF;
    PERFORM {schema}.lock_generations(v_own.name);
    PERFORM FROM {schema}.checkpoints WHERE name = v_own.name ORDER BY version, run FOR UPDATE;
    SELECT * INTO v_own FROM {schema}.checkpoints WHERE projection = p_projection;
    SELECT position INTO v_serving FROM {schema}.checkpoints WHERE name = v_own.name AND phase = 'serving';
    IF v_own.phase = 'serving' AND (v_own.joined OR v_own.inline = '{}') THEN
        RETURN;
    ELSIF v_own.phase NOT IN ('serving', 'building') THEN
        moved := -1;
    ELSIF v_own.position <> p_expected THEN
        moved := v_own.position;
    ELSIF v_own.position < v_serving THEN
        behind := v_serving;
    ELSE
        v_joins := v_own.inline <> '{}' AND v_head - v_own.position <= 4096 AND NOT EXISTS (
            SELECT FROM {schema}.all_events e
            WHERE e.position > v_own.position AND e.kind_id = ANY (ARRAY(SELECT {schema}.kinds_of(v_own.inline, NULL)))
        );
        IF v_own.phase = 'serving' AND NOT v_joins THEN
            behind := v_head;
            RETURN;
        END IF;
        IF v_joins OR EXISTS (SELECT FROM {schema}.checkpoints WHERE name = v_own.name AND joined) THEN
            UPDATE {schema}.log SET revision = revision + 1 WHERE one;
        END IF;
        IF v_own.phase = 'building' THEN
            UPDATE {schema}.checkpoints SET phase = 'retired', joined = false
            WHERE name = v_own.name AND phase IN ('serving', 'building') AND (version, run) < (v_own.version, v_own.run);
            UPDATE {schema}.checkpoints SET phase = 'serving' WHERE projection = p_projection;
            PERFORM {schema}.serve(v_own.name, v_own.suffix, v_own.collections, v_own.indexes);
        END IF;
        UPDATE {schema}.checkpoints SET joined = true WHERE projection = p_projection AND v_joins;
    END IF;
END $$;

-- Removes at most p_limit documents of a retired generation of the projection, or its tables and notes that nothing is left. Returns whether one is
-- still retired. Nobody writes to it any more, so its row is locked only against others who remove.
CREATE FUNCTION {schema}.remove_retired(p_name text, p_limit bigint)
RETURNS boolean LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    v_old record;
BEGIN
    SELECT projection, suffix, collections, tables_in INTO v_old FROM {schema}.checkpoints
    WHERE name = p_name AND phase = 'retired' ORDER BY version, run LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF {schema}.remove_documents({schema}.suffixed(v_old.collections, v_old.suffix), p_limit) < p_limit THEN
        IF v_old.tables_in IS NOT NULL THEN
            PERFORM {schema}.drop_tables(v_old.tables_in);
        END IF;
        UPDATE {schema}.checkpoints SET phase = 'removed', tables_in = NULL WHERE projection = v_old.projection;
    END IF;
    RETURN EXISTS (SELECT FROM {schema}.checkpoints WHERE name = p_name AND phase = 'retired');
END $$;

-- Claims events up to p_through for a projection's hook. Returns up to where they were claimed before.
CREATE FUNCTION {schema}.claim_live(p_name text, p_through bigint)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
DECLARE
    before bigint;
BEGIN
    INSERT INTO {schema}.checkpoints (projection, position) VALUES (p_name, 0) ON CONFLICT DO NOTHING;
    SELECT position INTO before FROM {schema}.checkpoints WHERE projection = p_name FOR UPDATE;
    IF p_through > before THEN
        UPDATE {schema}.checkpoints SET position = p_through WHERE projection = p_name;
    END IF;
    RETURN before;
END $$;
