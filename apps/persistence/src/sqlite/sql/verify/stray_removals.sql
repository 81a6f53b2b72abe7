-- Purpose: finds removals under way of streams that are not known, or of versions that are shown.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary key of streams, for every removal.
SELECT 'a removal of versions ' || r.next_version || ' to below ' || r.before_version || ' is under way, of stream '
    || coalesce(s.name || ', which is shown from ' || s.first_version, r.stream_id || ', which is not known')
FROM removals AS r LEFT JOIN streams AS s ON s.stream_id = r.stream_id
WHERE s.stream_id IS NULL
    OR NOT (1 <= r.next_version AND r.next_version <= r.before_version AND r.before_version <= s.first_version)
LIMIT ?1
