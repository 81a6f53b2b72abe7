-- Purpose: fragment, the indexed value lies between these, both included.
-- Parameters: {value} the lowest, {upper} the highest.
-- Zero rows: of its query, none match.
-- Index: that of the filter it is put into.
i.value BETWEEN {value} AND {upper}
