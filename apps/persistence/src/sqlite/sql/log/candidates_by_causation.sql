-- Purpose: fragment, events that one message led to are candidates; for spans that may hold some, and the end of the log.
-- Parameters: ?3 causation_id.
-- Zero rows: of its query, there are none.
-- Index: primary key of the table; the others between these positions are passed over.
NOT INDEXED WHERE e.causation_id = ?3
