-- Purpose: the suffix of the generation whose documents serve a collection.
-- Parameters: ?1 collection.
-- Zero rows: its documents have none.
-- Index: primary key of served.
SELECT suffix FROM served WHERE collection = ?1
