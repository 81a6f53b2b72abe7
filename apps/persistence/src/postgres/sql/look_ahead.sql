-- As find_tagged.sql, before the log's lock is taken in the same transaction (see migrations/0002_append.sql).
-- Parameters: items of queries: 1 their numbers, 2 the positions behind which nothing may be found, 3 tags and 4 names, a line
--   for each (null: any name). A number without a row: nothing was found. Index: event_tags_pkey, from the position on;
-- kinds_by_type.
SELECT number, first_position FROM {schema}.look_ahead($1, $2, $3, $4)
