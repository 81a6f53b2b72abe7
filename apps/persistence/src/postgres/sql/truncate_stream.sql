-- Ends the beginning of a stream softly, under the log's row lock.
-- Parameters: 1 stream id, 2 the first version to show.
-- No row: always. Index: streams_pkey.
UPDATE {schema}.streams SET first_version = greatest(first_version, $2) WHERE stream_id = $1
