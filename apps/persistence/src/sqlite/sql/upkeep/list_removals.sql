-- Purpose: what all removals that are under way were asked for.
-- Parameters: none.
-- Zero rows: there are none.
-- Index: primary key of removals, in its order.
SELECT request FROM removals WHERE stream_id > 0 ORDER BY stream_id
