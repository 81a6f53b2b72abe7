-- Purpose: fragment, every candidate is wanted.
-- Parameters: none.
-- Zero rows: never matters.
-- Index: none.
true
