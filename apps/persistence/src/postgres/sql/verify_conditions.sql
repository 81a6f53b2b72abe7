-- Verifies what the appends of a group demand, each item of a query by itself (see migrations/0002_append.sql).
-- Parameters: 1 how many events the group has, then the items: 2 the positions behind which nothing may be found, 3 tags and
--   4 names, a line for each (null: any name).
-- Always one row. Raises UM001 when something is found that was stored before the group.
-- Index: event_tags_pkey, from the position on; kinds_by_type.
SELECT {schema}.verify_conditions($1, $2, $3, $4)
