-- Purpose: fragment, the indexed value is one of these.
-- Parameters: {value} a JSON list of the values in hexadecimal.
-- Zero rows: of its query, none match.
-- Index: that of the filter it is put into.
i.value IN (SELECT unhex(value) FROM json_each({value}))
