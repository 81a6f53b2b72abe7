-- A page by key: of all_documents.sql in the order of the index up to the page's end, of matching_documents.sql sorted.
-- Parameters: those of query_documents.sql. No row: the page lies behind the last document. Index: documents_pkey.
page AS MATERIALIZED (
    SELECT key, NULL::bytea AS value FROM matches
    ORDER BY key OFFSET $3 LIMIT (SELECT least($4, rows) FROM reach)
)
