-- A page of matching_documents.sql by an index, downwards. Many matches are met by going through the entries against the order of the
-- index, as page_backward.sql does, past the others; {met_matches} stands for what met_matches.sql says of each filter. That ends behind
-- one entry for four matches, at the edge as well: if these do not fill the page up to its end, each match is looked up and sorted, as are
-- few matches.
-- Parameters: those of query_documents.sql. No row: the page lies behind the last match.
-- Index: document_index_pkey in its order, document_index_by_key for each entry met, or each match.
met AS MATERIALIZED (
    SELECT i.value, i.key FROM (
        SELECT value, key FROM {schema}.document_index
        WHERE collection = (SELECT collection FROM named) AND index_name = $5
        ORDER BY value DESC, key DESC LIMIT (SELECT CASE WHEN total > 16 * rows THEN total / 4 ELSE 0 END FROM reach)
    ) i
    WHERE i.value = (
        SELECT own.value FROM {schema}.document_index own
        WHERE own.collection = (SELECT collection FROM named) AND own.key = i.key AND own.index_name = $5
        ORDER BY own.value LIMIT 1
    )
    {met_matches}
    ORDER BY i.value DESC, i.key DESC LIMIT (SELECT rows FROM reach)
), edge AS MATERIALIZED (
    SELECT value FROM met WHERE (SELECT count(*) FROM met) = (SELECT rows FROM reach) ORDER BY value LIMIT 1
), at_edge AS MATERIALIZED (
    SELECT i.value, i.key FROM (
        SELECT value, key FROM {schema}.document_index
        WHERE collection = (SELECT collection FROM named) AND index_name = $5 AND value = (SELECT value FROM edge)
        ORDER BY key LIMIT (SELECT total / 4 FROM reach)
    ) i
    WHERE i.value = (
        SELECT own.value FROM {schema}.document_index own
        WHERE own.collection = (SELECT collection FROM named) AND own.key = i.key AND own.index_name = $5
        ORDER BY own.value LIMIT 1
    )
    {met_matches}
    ORDER BY i.key LIMIT (SELECT count(*) FROM met WHERE value = (SELECT value FROM edge))
), walked AS MATERIALIZED (
    SELECT value, key FROM met WHERE value > (SELECT value FROM edge) UNION ALL SELECT value, key FROM at_edge
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
