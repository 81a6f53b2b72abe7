-- Purpose: about how many events have a tag: enough to tell a rare one from one that many have.
-- Parameters: ?1 the tag, ?2 how many are counted at most.
-- Zero rows: never; none is 0.
-- Index: primary key of event_tags.
SELECT count(*) FROM (SELECT 1 FROM event_tags WHERE tag = ?1 LIMIT ?2)
