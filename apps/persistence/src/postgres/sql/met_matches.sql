-- A filter of matches_forward.sql and matches_backward.sql: the document that was met has such an entry. {test} is filter_equal.sql,
-- filter_in.sql or filter_range.sql.
-- Parameters: those of the filter. Index: document_index_pkey or document_index_by_key, once for each entry that is met.
AND (
    SELECT true FROM {schema}.document_index m
    WHERE m.collection = (SELECT collection FROM named) AND m.key = i.key AND {test} LIMIT 1
)
