-- Purpose: the suffix of the generation whose documents serve a collection, and what they are found by.
-- Parameters: ?1 collection.
-- Zero rows: its documents have none.
-- Index: primary key of served.
SELECT suffix, indexes FROM served WHERE collection = ?1
