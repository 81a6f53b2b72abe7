-- Purpose: notes where a subscription begins that is reset, and gives it a new box; the one it has had is lost already.
-- Parameters: ?1 name, ?2 the place behind which, or null.
-- Zero rows: always.
-- Index: primary keys of subscriptions and lost_boxes, and the boxes of subscriptions.
UPDATE subscriptions SET start_after = ?2, resets = resets + 1,
    box = 1 + max((SELECT max(box) FROM subscriptions), coalesce((SELECT max(box) FROM lost_boxes), 0))
WHERE name = ?1
