-- The rows of a query over a projection's tables, each as an object by the names of the query's columns. {query} stands for the query, in a
-- transaction that has entered the tables, {most} for how many rows at most.
-- Parameters: those of the query. No row: the query has none. Index: as the query finds them.
SELECT row_to_json(answer) AS body FROM ({query}) AS answer LIMIT {most}
