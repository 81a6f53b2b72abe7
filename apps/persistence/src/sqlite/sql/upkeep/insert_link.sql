-- Purpose: a link.
-- Parameters: ?1 stream_id, ?2 version, ?3 position.
-- Zero rows: always.
-- Index: primary key of links, and links_by_position.
INSERT INTO links (stream_id, version, position) VALUES (?1, ?2, ?3)
