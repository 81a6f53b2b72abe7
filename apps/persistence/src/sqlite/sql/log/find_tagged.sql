-- Purpose: the first event behind a position that one item of a query by tags is about, wherever it is.
-- Parameters: ?1 the position, ?2 the item: {"tags": [...], "names": [...] or null}.
-- Zero rows: there is none.
-- Index: primary key of event_tags, from the position on, and for each further tag; primary key of kinds.
SELECT t.position
FROM event_tags AS t
WHERE t.tag = json_extract(?2, '$.tags[0]') AND t.position > ?1
    AND NOT EXISTS (
        SELECT 1 FROM json_each(?2, '$.tags') AS other
        WHERE NOT EXISTS (SELECT 1 FROM event_tags AS o WHERE o.tag = other.value AND o.position = t.position)
    )
    AND (json_extract(?2, '$.names') IS NULL
        OR (SELECT k.type IN (SELECT value FROM json_each(?2, '$.names')) FROM kinds AS k WHERE k.kind_id = t.kind_id))
ORDER BY t.position
LIMIT 1
