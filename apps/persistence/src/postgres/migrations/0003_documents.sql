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
-- Serves replacing the entries of a document, and ordering by an index.
CREATE INDEX document_index_by_key ON {schema}.document_index (collection, key, index_name);

-- How far each projection has come.
CREATE TABLE {schema}.checkpoints (
    projection text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
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
END $$;

-- Removes at most p_limit documents of the collections with their index entries, if the checkpoint stands at p_expected:
-- while it does nobody has written what must stay. Returns how many.
CREATE FUNCTION {schema}.clear_documents(p_projection text, p_expected bigint, p_collections text[], p_limit bigint)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    removed bigint;
BEGIN
    IF p_expected = 0 THEN
        INSERT INTO {schema}.checkpoints (projection, position) VALUES (p_projection, 0) ON CONFLICT DO NOTHING;
    END IF;
    PERFORM FROM {schema}.checkpoints WHERE projection = p_projection AND position = p_expected FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH old AS MATERIALIZED (
        SELECT collection, key FROM {schema}.documents WHERE collection = ANY (p_collections) LIMIT p_limit
    ), entries AS (
        DELETE FROM {schema}.document_index i USING old WHERE i.collection = old.collection AND i.key = old.key
    ), documents AS (
        DELETE FROM {schema}.documents d USING old WHERE d.collection = old.collection AND d.key = old.key
        RETURNING 1
    )
    SELECT count(*) INTO removed FROM documents;
    RETURN removed;
END $$;

-- Moves a checkpoint from p_expected to p_position, empties the collections p_clear and writes documents with it. Returns null, or, when the
-- checkpoint stands elsewhere and nothing was written, where it stands.
CREATE FUNCTION {schema}.save_projection(
    p_projection text, p_expected bigint, p_position bigint, p_clear text[],
    p_collections text[], p_keys text[], p_bodies json[],
    p_entry_collections text[], p_entry_keys text[], p_entry_indexes text[], p_entry_values bytea[]
) RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '10s' SET jit = off
AS $$
BEGIN
    IF p_expected = 0 THEN
        INSERT INTO {schema}.checkpoints AS c (projection, position) VALUES (p_projection, p_position)
        ON CONFLICT (projection) DO UPDATE SET position = excluded.position WHERE c.position = 0;
    ELSE
        UPDATE {schema}.checkpoints SET position = p_position
        WHERE projection = p_projection AND position = p_expected;
    END IF;
    IF NOT FOUND THEN
        RETURN coalesce((SELECT position FROM {schema}.checkpoints WHERE projection = p_projection), 0);
    END IF;
    IF cardinality(p_clear) > 0 THEN
        DELETE FROM {schema}.document_index WHERE collection = ANY (p_clear);
        DELETE FROM {schema}.documents WHERE collection = ANY (p_clear);
    END IF;
    PERFORM {schema}.write_documents(p_collections, p_keys, p_bodies, p_entry_collections, p_entry_keys,
        p_entry_indexes, p_entry_values);
    RETURN NULL;
END $$;
