-- What all removals that are under way were asked for.
-- No parameters. No row: there are none. Index: none, the table holds no more rows than streams are being removed.
SELECT request::text AS request FROM {schema}.removals ORDER BY stream_id
