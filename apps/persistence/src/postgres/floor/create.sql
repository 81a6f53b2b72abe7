-- Purpose: the tables of the floors, each with the log's columns and its three unique indexes.
-- Parameters: none. Zero rows: always.
CREATE TABLE {schema}.floor_group_commit (
    position bigint PRIMARY KEY,
    stream_id bigint NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    type text COLLATE "C" NOT NULL,
    schema int NOT NULL,
    recorded_at timestamptz NOT NULL,
    correlation_id uuid,
    causation_id uuid,
    data json NOT NULL,
    metadata json,
    UNIQUE (stream_id, version)
);
CREATE TABLE {schema}.floor_single_row (LIKE {schema}.floor_group_commit INCLUDING ALL);
