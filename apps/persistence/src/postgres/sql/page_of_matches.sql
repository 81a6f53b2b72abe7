-- A page of matching_documents.sql by an index or by key: each match is looked up, since it was counted anyway, and sorted.
-- Parameters: those of query_documents.sql. No row: the page lies behind the last match. Index: document_index_by_key.
page AS MATERIALIZED (
    SELECT matches.key, (
        SELECT i.value FROM {schema}.document_index i
        WHERE i.collection = (SELECT collection FROM named) AND i.key = matches.key AND i.index_name = $2
        ORDER BY i.value LIMIT 1
    ) AS value
    FROM matches
    ORDER BY value {sorted}, key OFFSET $3 LIMIT (SELECT least($4, rows) FROM reach)
)
