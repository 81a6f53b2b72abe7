-- Purpose: how many events and versions were removed for good, as the audit says and removals under way have counted.
-- Parameters: none.
-- Zero rows: never.
-- Index: the unique ones on (stream_id, version) for the audit.
SELECT coalesce(sum(CAST(events AS INTEGER)), 0), coalesce(sum(CAST(versions AS INTEGER)), 0)
FROM (
    SELECT e.data ->> 'events' AS events, (e.data ->> 'events') + (e.data ->> 'links') AS versions
    FROM whole_log AS e
    WHERE e.stream_id = (SELECT stream_id FROM streams WHERE name = '$audit')
        AND iif(json_valid(e.data), e.data ->> 'removal' = 'hard', 0)
    UNION ALL
    SELECT events, events + links FROM removals
)
