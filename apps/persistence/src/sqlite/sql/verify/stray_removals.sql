-- Purpose: finds removals under way of streams that are not known, or of versions that are shown, and those that nobody can carry on.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary key of streams, for every removal.
SELECT 'a removal of versions ' || r.next_version || ' to below ' || r.before_version || ' is under way, of stream '
    || coalesce(s.name || ', which is shown from ' || s.first_version, r.stream_id || ', which is not known')
FROM removals AS r LEFT JOIN streams AS s ON s.stream_id = r.stream_id
WHERE s.stream_id IS NULL
    OR NOT (1 <= r.next_version AND r.next_version <= r.before_version AND r.before_version <= s.first_version)
UNION ALL
SELECT 'a removal that is under way, of stream ' || stream_id || ', ' || CASE
    WHEN length(act_id) <> 16 THEN 'has an id that is none'
    WHEN events < 0 OR links < 0 THEN 'has taken ' || events || ' events and ' || links || ' links'
    ELSE 'was asked for by what is no JSON object'
END
FROM removals
WHERE length(act_id) <> 16 OR events < 0 OR links < 0 OR iif(json_valid(request), json_type(request) <> 'object', true)
LIMIT ?1
