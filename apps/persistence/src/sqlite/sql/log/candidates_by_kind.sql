-- Purpose: fragment, events of a kind are candidates.
-- Parameters: ?3 kind_id.
-- Zero rows: of its query, there are none.
-- Index: events_by_kind, archived_events_by_kind.
INDEXED BY {events}_by_kind WHERE e.kind_id = ?3
