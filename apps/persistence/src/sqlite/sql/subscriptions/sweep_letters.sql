-- Purpose: removes some letters of a box that is lost.
-- Parameters: ?1 box, ?2 how many at most.
-- Zero rows: always; fewer rows change than may when nothing is left in it.
-- Index: primary key of letters.
DELETE FROM letters WHERE box = ?1 AND place IN (SELECT place FROM letters WHERE box = ?1 ORDER BY place LIMIT ?2)
