-- Purpose: fragment, the indexed value is this one.
-- Parameters: {value}.
-- Zero rows: of its query, none match.
-- Index: that of the filter it is put into.
i.value = {value}
