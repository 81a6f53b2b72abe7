-- Purpose: which conversations the events of a span are perhaps of, and which messages led to them.
-- Parameters: ?1 first position, ?2 the filter.
-- Zero rows: always.
-- Index: primary key of span_conversations.
INSERT INTO span_conversations (first_position, filter) VALUES (?1, ?2)
