-- Purpose: how many versions streams have lost, by what they count.
-- Parameters: none.
-- Zero rows: never.
-- Index: none; every stream is looked at.
SELECT coalesce(sum(removed), 0) FROM streams
