-- The first by version of the next so many streams, in the order of their ids, with how many of these match and where they end.
-- {sorted} is the direction (empty or DESC).
-- Parameters: 1 what the name contains (empty: anything), 2 how many of the first at most, 3 behind which id, 4 how many streams; 5 the category, to which
-- {within} restricts the names, or null.
-- One row whose name is null: none of them matches; if `upto` is null, too, there are no more.
-- Index: streams_pkey, in its order; events_stream_id_version_key read backwards for each stream's version.
WITH step AS MATERIALIZED (
    SELECT stream_id FROM {schema}.streams WHERE stream_id > $3 ORDER BY stream_id LIMIT $4
), listed AS MATERIALIZED (
    SELECT v.name, v.version, v.first_version, v.created_at, v.deleted_at
    FROM step JOIN {schema}.versioned_streams v ON v.stream_id = step.stream_id
    WHERE strpos(v.name, $1) > 0 AND {within}
), first AS (
    SELECT * FROM listed ORDER BY version {sorted}, name {sorted} LIMIT $2
)
SELECT (SELECT max(stream_id) FROM step) AS upto, (SELECT count(*) FROM listed) AS total,
    first.name, first.version, first.first_version, first.created_at, first.deleted_at
FROM (SELECT) always LEFT JOIN first ON true
