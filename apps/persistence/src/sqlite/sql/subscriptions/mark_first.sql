-- Purpose: marks the first letter of a key.
-- Parameters: ?1 subscription, ?2 partition, ?3 key.
-- Zero rows: always.
-- Index: primary key of letters, letters_by_key.
UPDATE letters SET head = 1
WHERE subscription = ?1 AND head = 0 AND place = (
    SELECT min(place) FROM letters WHERE subscription = ?1 AND partition = ?2 AND key = ?3
)
