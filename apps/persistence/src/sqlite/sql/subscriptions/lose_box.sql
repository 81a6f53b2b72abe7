-- Purpose: notes that what the dead letters of a subscription are kept in is lost.
-- Parameters: ?1 subscription.
-- Zero rows: always.
-- Index: primary keys of subscriptions and lost_boxes.
INSERT INTO lost_boxes (box) SELECT box FROM subscriptions WHERE name = ?1
