-- Ends a stream softly, under the log's row lock.
-- Parameters: 1 stream id, 2 now.
-- No row: always. Index: streams_pkey.
UPDATE {schema}.streams SET deleted_at = $2 WHERE stream_id = $1
