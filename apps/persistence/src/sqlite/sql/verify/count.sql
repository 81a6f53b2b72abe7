-- Purpose: how many events there are, archived or not.
-- Parameters: ?1 and ?2 the positions to look at, behind the one up to the other.
-- Zero rows: never.
-- Index: primary keys of events and archived_events.
SELECT (SELECT count(*) FROM events WHERE position > ?1 AND position <= ?2)
    + (SELECT count(*) FROM archived_events WHERE position > ?1 AND position <= ?2)
