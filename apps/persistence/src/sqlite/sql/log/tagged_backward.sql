-- Purpose: positions of events with the first tag of one item of a query by tags, in reverse order, and whether they are wanted.
--   {wanted} is put in from a fragment. {events} is the table: of the log or of the archive.
-- Parameters: ?1 lowest and ?2 highest position, ?3 the item: {"tags": [...], "names": [...] or null}; those of {wanted}.
-- Zero rows: no event with this tag between these positions.
-- Index: primary key of event_tags, in its order, and for each further tag; primary keys of the table and of kinds.
SELECT t.position, {wanted}
    AND NOT EXISTS (
        SELECT 1 FROM json_each(?3, '$.tags') AS other
        WHERE NOT EXISTS (SELECT 1 FROM event_tags AS o WHERE o.tag = other.value AND o.position = t.position)
    )
    AND (json_extract(?3, '$.names') IS NULL
        OR (SELECT k.type IN (SELECT value FROM json_each(?3, '$.names')) FROM kinds AS k WHERE k.kind_id = t.kind_id))
FROM event_tags AS t CROSS JOIN {events} AS e ON e.position = t.position
WHERE t.tag = json_extract(?3, '$.tags[0]') AND t.position BETWEEN ?1 AND ?2
ORDER BY t.position DESC
