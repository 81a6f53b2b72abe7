-- What is being removed of a stream, or under the id of an act, and how far that has come.
-- Parameters: 1 stream id, null is none, 2 the act's id.
-- No row: nothing. Index: removals_pkey, removals_act_id_key.
SELECT request::text AS request, next_version, before_version, events, links FROM {schema}.removals
WHERE stream_id = $1 OR act_id = $2
