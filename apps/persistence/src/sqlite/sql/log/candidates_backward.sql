-- Purpose: positions of events that may be wanted, in reverse order, and whether they are. {candidates} is put in from a
--   fragment, as is {wanted}. {events} is the table: of the log or of the archive.
-- Parameters: ?1 lowest and ?2 highest position, those of the fragments.
-- Zero rows: no candidates between these positions.
-- Index: that of {candidates}, in its order.
SELECT e.position, {wanted}
FROM {events} AS e {candidates}
AND e.position BETWEEN ?1 AND ?2
ORDER BY e.position DESC
