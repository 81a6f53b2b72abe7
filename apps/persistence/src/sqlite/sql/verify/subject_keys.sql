-- Purpose: finds events with sealed values of a subject that has no key and was not forgotten either.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary key of subject_keys; all of the log is looked at.
SELECT 'position ' || position || ' holds personal data of ' || subject || ', whose key is lost'
FROM whole_log
WHERE subject IS NOT NULL
    AND (instr(data, '{"$sealed":"') > 0 OR substr(bytes, 1, 9) = x'00247365616c656400')
    AND NOT EXISTS (SELECT 1 FROM subject_keys AS k WHERE k.subject = whole_log.subject)
LIMIT ?1
