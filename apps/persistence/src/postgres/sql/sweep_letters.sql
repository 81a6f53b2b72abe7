-- Removes some of the dead letters that are lost: of subscriptions that were deleted or begin elsewhere.
-- Parameters: 1 how many at most. Always one row: how many were removed; fewer than that when there are no more.
-- Index: lost_boxes_pkey, letters_pkey.
SELECT {schema}.sweep_letters($1) AS removed
