-- Purpose: the filter of the conversations of a span.
-- Parameters: ?1 first position of the span.
-- Zero rows: it has none.
-- Index: primary key of span_conversations.
SELECT filter FROM span_conversations WHERE first_position = ?1
