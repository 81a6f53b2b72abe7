-- Purpose: the subscriptions that follow a stream.
-- Parameters: ?1 stream.
-- Zero rows: none does.
-- Index: subscriptions_by_stream.
SELECT name FROM subscriptions WHERE stream = ?1 ORDER BY name
