-- Verifies what the appends of a group demand by what is stored before the log's lock is taken in the same transaction, so that little is
-- left to verify_conditions.sql (see migrations/0002_append.sql).
-- Parameters: items: 1 the positions behind which nothing may be found, 2 tags and 3 names, a line for each (null: any name).
-- Always one row. Raises UM001 when something is found. Index: event_tags_pkey, from the position on; kinds_by_type.
SELECT {schema}.check_conditions($1, $2, $3)
