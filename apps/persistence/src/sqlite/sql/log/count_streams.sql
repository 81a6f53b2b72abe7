-- Purpose: how many streams match, the log itself among them.
-- Parameters: ?1 text that their names contain.
-- Zero rows: never.
-- Index: none; every stream is looked at.
SELECT (instr('$all', ?1) > 0) + (SELECT count(*) FROM streams WHERE version > 0 AND instr(name, ?1) > 0)
