-- The first filter of matching_documents.sql: the entries with these values under an index. Each value is looked up on its own, since who
-- tests for one of a list may as well go through all entries and compare, if the planner does not know better.
-- Parameters: {index} its name, {values} a list of values. No row: none match. Index: document_index_pkey, once for each value.
unnest({values}::bytea[]) AS wanted (value) CROSS JOIN LATERAL (
    SELECT i.key FROM {schema}.document_index i
    WHERE i.collection = (SELECT collection FROM named) AND i.index_name = {index} AND i.value = wanted.value
    OFFSET 0
) AS led
