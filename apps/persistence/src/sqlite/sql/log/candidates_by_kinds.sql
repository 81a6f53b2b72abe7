-- Purpose: fragment, events of some kinds are candidates; for the end of the log, where no span leads to them.
-- Parameters: ?3 the kind_ids as a JSON list.
-- Zero rows: of its query, there are none.
-- Index: primary key of the table; the others between these positions are passed over.
NOT INDEXED WHERE e.kind_id IN (SELECT value FROM json_each(?3))
