-- Purpose: finds events with sealed values of a subject that has no key and was not forgotten either.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other.
-- Zero rows: the rule holds.
-- Index: primary keys of events and archived_events; that of subject_keys.
SELECT 'position ' || position || ' holds personal data of ' || subject || ', whose key is lost'
FROM whole_log
WHERE position > ?2 AND position <= ?3 AND subject IS NOT NULL
    AND (instr(data, '{"$sealed":"') > 0 OR substr(bytes, 1, 9) = x'00247365616c656400')
    AND NOT EXISTS (SELECT 1 FROM subject_keys AS k WHERE k.subject = whole_log.subject)
LIMIT ?1
