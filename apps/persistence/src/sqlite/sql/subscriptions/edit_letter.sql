-- Purpose: replaces what is handed to the handler instead of an event's data.
-- Parameters: ?1 subscription, ?2 place, ?3 the new data, or null for the event's own.
-- Zero rows: always.
-- Index: primary key of letters.
UPDATE letters SET edited = ?3 WHERE subscription = ?1 AND place = ?2
