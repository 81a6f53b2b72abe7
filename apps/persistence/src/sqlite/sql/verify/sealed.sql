-- Purpose: an event with sealed values of each subject, the first of these positions, and its key, for trying the one on the other.
-- Parameters: ?1 and ?2 the positions to look at, behind the one up to the other.
-- Zero rows: nothing is sealed there, or only of subjects who have no key of 256 bits.
-- Index: primary keys of events and archived_events; that of subject_keys.
SELECT min(e.position), e.subject, e.event_id, e.data, e.bytes, k.key
FROM whole_log AS e CROSS JOIN subject_keys AS k ON k.subject = e.subject
WHERE e.position > ?1 AND e.position <= ?2 AND length(k.key) = 32
    AND (instr(e.data, '{"$sealed":"') > 0 OR substr(e.bytes, 1, 9) = x'00247365616c656400')
GROUP BY e.subject
