-- What query_documents.sql goes through with filters: the documents that match. The first filter leads to them, by its entries; {test} is
-- filter_in.sql or filter_range.sql, {filters} stands for the others, each as matching_also.sql says.
-- Parameters: those of the filters. No row: none match. Index: document_index_pkey.
matches AS MATERIALIZED (
    SELECT DISTINCT led.key FROM {schema}.document_index led
    WHERE led.collection = (SELECT collection FROM named) AND {test}{filters}
)
