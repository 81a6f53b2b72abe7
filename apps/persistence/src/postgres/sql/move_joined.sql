-- Notes what a group has made of the generations that were joined to appends.
-- Parameters: 1 how many events the group has; 2 checkpoints, 3 up to how many of these events each shows, 4 whether it stays joined.
-- Always one row. Index: checkpoints_pkey, log_pkey.
SELECT {schema}.move_joined($1, $2, $3, $4)
