-- Purpose: whether there is an event of some names behind a position. {events} is the table: of the log or of the archive.
-- Parameters: ?1 position, ?2 names as a JSON list.
-- Zero rows: never.
-- Index: primary key of the table, from the position on; primary key of kinds.
SELECT EXISTS (
    SELECT 1 FROM {events} AS e
    WHERE e.position > ?1
        AND (SELECT k.type IN (SELECT value FROM json_each(?2)) FROM kinds AS k WHERE k.kind_id = e.kind_id)
)
