-- Purpose: notes how a letter failed, unless that is noted already.
-- Parameters: ?1 subscription, ?2 place, ?3 partition, ?4 error, ?5 attempts, ?6 when it failed first, ?7 last.
-- Zero rows: always; no row changes when it is gone, or noted.
-- Index: primary keys of subscriptions and letters.
UPDATE letters SET retry = 0, error = ?4, attempts = ?5, first_failed_at = ?6, last_failed_at = ?7
WHERE box = (SELECT box FROM subscriptions WHERE name = ?1) AND place = ?2 AND partition = ?3
    AND (error, attempts, first_failed_at, last_failed_at) IS NOT (?4, ?5, ?6, ?7)
