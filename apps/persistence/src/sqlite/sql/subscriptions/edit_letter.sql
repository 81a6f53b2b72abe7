-- Purpose: replaces what is handed to the handler instead of an event's data.
-- Parameters: ?1 subscription, ?2 place, ?3 the new data, or null for the event's own.
-- Zero rows: always.
-- Index: primary keys of subscriptions and letters.
UPDATE letters SET edited = ?3 WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND place = ?2
