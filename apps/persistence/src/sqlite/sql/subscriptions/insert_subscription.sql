-- Purpose: makes a subscription unless it is there.
-- Parameters: ?1 name, ?2 what it follows in words, ?3 the stream or null, ?4 the place behind which it begins or null, ?5 now.
-- Zero rows: always; no row changes when it is there already.
-- Index: primary keys of subscriptions, past_epochs and lost_boxes, and the boxes of subscriptions.
INSERT INTO subscriptions (name, kept_as, source, stream, start_after, created_at, incarnation, box)
VALUES (?1, coalesce((SELECT kept_as FROM past_epochs WHERE name = ?1), ?1), ?2, ?3, ?4, ?5,
    coalesce((SELECT epoch FROM past_epochs WHERE name = ?1), 0),
    1 + max(coalesce((SELECT max(box) FROM subscriptions), 0), coalesce((SELECT max(box) FROM lost_boxes), 0)))
ON CONFLICT (name) DO NOTHING
