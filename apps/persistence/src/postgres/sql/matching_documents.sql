-- What query_documents.sql goes through with filters: the documents that match. The first filter leads to them, by its entries; {lead} is
-- lead_by_values.sql or lead_by_test.sql, {filters} stands for the others, each as matching_also.sql says.
-- Parameters: those of the filters. No row: none match. Index: those of the fragments.
matches AS MATERIALIZED (
    SELECT DISTINCT led.key FROM {lead} WHERE true {filters}
)
