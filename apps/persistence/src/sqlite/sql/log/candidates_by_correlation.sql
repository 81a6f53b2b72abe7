-- Purpose: fragment, events of a conversation are candidates.
-- Parameters: ?3 correlation_id.
-- Zero rows: of its query, there are none.
-- Index: events_by_correlation, archived_events_by_correlation.
INDEXED BY {events}_by_correlation WHERE e.correlation_id = ?3
