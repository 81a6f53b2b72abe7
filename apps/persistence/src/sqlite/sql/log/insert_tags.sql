-- Purpose: what an event is found by.
-- Parameters: ?1 position, ?2 kind_id, ?3 tags as a JSON list.
-- Zero rows: always.
-- Index: primary key of event_tags.
INSERT INTO event_tags (tag, position, kind_id) SELECT value, ?1, ?2 FROM json_each(?3)
