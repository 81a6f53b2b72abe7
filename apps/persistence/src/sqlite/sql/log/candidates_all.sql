-- Purpose: fragment, all events are candidates.
-- Parameters: none.
-- Zero rows: of its query, there are none.
-- Index: primary key of the table.
NOT INDEXED WHERE true
