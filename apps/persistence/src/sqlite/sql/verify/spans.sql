-- Purpose: finds spans that the log has passed and that hold events, but have no row or one that does not take in their times.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other, both ends of spans.
-- Zero rows: the rule holds.
-- Index: primary keys of events, archived_events and spans.
SELECT 'the events at positions ' || held.first_position || ' to ' || (held.first_position + 4095) || ' were recorded between '
    || held.earliest || ' and ' || held.latest || ', and their span '
    || coalesce('says between ' || s.min_recorded_at || ' and ' || s.max_recorded_at, 'is missing')
FROM (
    SELECT (position - 1) / 4096 * 4096 + 1 AS first_position, min(recorded_at) AS earliest, max(recorded_at) AS latest
    FROM whole_log
    WHERE position > ?2 AND position <= ?3 AND position BETWEEN 1 AND (SELECT head / 4096 * 4096 FROM log)
    GROUP BY 1
) AS held
LEFT JOIN spans AS s ON s.first_position = held.first_position
WHERE s.first_position IS NULL OR s.min_recorded_at > held.earliest OR s.max_recorded_at < held.latest
LIMIT ?1
