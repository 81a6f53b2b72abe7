-- Purpose: asks for letters of a key, up to one of them, to be tried again.
-- Parameters: ?1 subscription, ?2 partition, ?3 key, ?4 the last place.
-- Zero rows: always; as many rows change as were not asked for.
-- Index: letters_by_key.
UPDATE letters SET retry = 1
WHERE subscription = ?1 AND partition = ?2 AND key = ?3 AND place <= ?4 AND retry = 0
