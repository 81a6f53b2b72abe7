-- Purpose: what SQLite's own check finds in a table and its indexes: pages that cannot be read, rows that no index leads to or that are
--   in a unique one twice, values that their columns do not allow.
-- Parameters: ?1 the table's name.
-- Zero rows: never; one that says 'ok' when nothing is wrong. Else a row may be of many lines.
-- Index: none; all of the table and of its indexes is looked at.
SELECT integrity_check FROM pragma_integrity_check(?1)
