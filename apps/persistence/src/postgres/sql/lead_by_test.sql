-- The first filter of matching_documents.sql, if it is one value or a range: the entries under an index that meet {test}, which is
-- filter_equal.sql or filter_range.sql. They are asked for in the order of the index that has them together: the one by key would be led
-- through all of the collection.
-- Parameters: those of the filter. No row: none match. Index: document_index_pkey, from the first such entry to the last.
(
    SELECT led.key FROM {schema}.document_index led WHERE led.collection = (SELECT collection FROM named) AND {test}
    ORDER BY led.value, led.key OFFSET 0
) AS led
