-- Purpose: finds a log without its one row, and entries of the outbox with numbers that were not given out yet.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary key of outbox.
SELECT 'the log has ' || count(*) || ' rows instead of one' FROM log HAVING count(*) <> 1
UNION ALL
SELECT 'the outbox got numbers up to ' || given.seq || ', and there is an entry with number ' || last.number
FROM (SELECT max(number) AS number FROM outbox) AS last, sqlite_sequence AS given
WHERE given.name = 'outbox' AND given.seq < last.number
LIMIT ?1
