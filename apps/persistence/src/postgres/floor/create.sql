-- Purpose: the tables of the floors, each with the log's columns and its three unique indexes.
-- Parameters: none. Zero rows: always.
CREATE TABLE {schema}.floor_group_commit (
    position bigint PRIMARY KEY,
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    kind_id int NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    correlation_id uuid,
    causation_id uuid,
    subject text COLLATE "C",
    data json,
    bytes bytea,
    metadata json,
    UNIQUE (stream_id, version)
);
CREATE TABLE {schema}.floor_single_row (LIKE {schema}.floor_group_commit INCLUDING ALL);
