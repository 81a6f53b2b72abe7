-- Purpose: fragment, events of a conversation are candidates; for spans that may hold some, and the end of the log.
-- Parameters: ?3 correlation_id.
-- Zero rows: of its query, there are none.
-- Index: primary key of the table; the others between these positions are passed over.
NOT INDEXED WHERE e.correlation_id = ?3
