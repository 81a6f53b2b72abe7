-- Purpose: a page of letters by subscription and place.
-- Parameters: ?1 and ?2 subscription and place behind which they are; and, null restricts nothing, ?3 subscription, ?4 place, ?5 key in
--   words, ?6 event name, ?7 the place behind which they are, ?8 the last place, ?9 what the error contains, ?10 whether they have
--   failed, ?11 whether only
--   those that nobody asked for, ?12 how many at most.
-- Zero rows: none is meant.
-- Index: primary key of letters; it looks at every letter behind the given one.
SELECT l.subscription, l.partition, l.place, l.key, l.key_text, l.event_id, l.position, l.event_name, l.error, l.attempts,
    l.first_failed_at, l.last_failed_at, l.parked_at, l.retry, l.edited, l.replay
FROM letters l
WHERE (l.subscription, l.place) > (?1, ?2)
    AND (?3 IS NULL OR l.subscription = ?3)
    AND (?4 IS NULL OR l.place = ?4)
    AND (?5 IS NULL OR l.key_text = ?5)
    AND (?6 IS NULL OR l.event_name = ?6)
    AND (?7 IS NULL OR l.place > ?7)
    AND (?8 IS NULL OR l.place <= ?8)
    AND (?9 IS NULL OR instr(l.error, ?9) > 0)
    AND (?10 IS NULL OR (l.error IS NOT NULL) = ?10)
    AND NOT (?11 AND l.retry)
ORDER BY l.subscription, l.place LIMIT ?12
