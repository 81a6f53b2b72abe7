-- A page of matching_documents.sql by an index, upwards. Many matches are met by going through the entries in the order of the index, as
-- page_forward.sql does, past the others; {met_matches} stands for what met_matches.sql says of each filter. That ends behind one entry
-- for four matches: if these do not fill the page up to its end, the matches are rare, or far behind, and each is looked up and sorted,
-- which costs more than what was in vain; as are few matches, and those of a collection where some document ever lacked an entry.
-- Parameters: those of query_documents.sql. No row: the page lies behind the last match.
-- Index: document_shapes_pkey, document_index_pkey in its order, document_index_by_key for each entry met, or each match.
walked AS MATERIALIZED (
    SELECT i.value, i.key FROM (
        SELECT value, key FROM {schema}.document_index
        WHERE collection = (SELECT collection FROM named) AND index_name = $5
        ORDER BY value, key LIMIT CASE WHEN EXISTS (
            SELECT FROM {schema}.document_shapes s
            WHERE s.collection = (SELECT collection FROM named) AND NOT $5 = ANY (s.indexes)
        ) THEN 0 ELSE (SELECT CASE WHEN total > 16 * rows THEN total / 4 ELSE 0 END FROM reach) END
    ) i
    WHERE i.value = (
        SELECT own.value FROM {schema}.document_index own
        WHERE own.collection = (SELECT collection FROM named) AND own.key = i.key AND own.index_name = $5
        ORDER BY own.value LIMIT 1
    )
    {met_matches}
    ORDER BY i.value, i.key LIMIT (SELECT rows FROM reach)
), filled AS MATERIALIZED (
    SELECT (SELECT count(*) FROM walked) = rows AS whole FROM reach
), page AS MATERIALIZED (
    SELECT key, value FROM (
        SELECT key, value FROM walked WHERE (SELECT filled.whole FROM filled)
        UNION ALL
        SELECT matches.key, (
            SELECT i.value FROM {schema}.document_index i
            WHERE i.collection = (SELECT collection FROM named) AND i.key = matches.key AND i.index_name = $5
            ORDER BY i.value LIMIT 1
        )
        FROM matches WHERE NOT (SELECT filled.whole FROM filled)
    ) AS found
    ORDER BY value {sorted}, key OFFSET $3 LIMIT (SELECT least($4, rows) FROM reach)
)
