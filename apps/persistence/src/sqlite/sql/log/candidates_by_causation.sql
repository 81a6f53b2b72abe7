-- Purpose: fragment, events that one message led to are candidates.
-- Parameters: ?3 causation_id.
-- Zero rows: of its query, there are none.
-- Index: events_by_causation, archived_events_by_causation.
INDEXED BY {events}_by_causation WHERE e.causation_id = ?3
