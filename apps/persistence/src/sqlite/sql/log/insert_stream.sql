-- Purpose: a new stream.
-- Parameters: ?1 name, ?2 version after the group, ?3 time of its first event.
-- Zero rows: always; its key is the last inserted row id.
-- Index: the unique one on streams.name.
INSERT INTO streams (name, version, created_at) VALUES (?1, ?2, ?3)
