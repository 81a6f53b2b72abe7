-- Lets the queries of this transaction find the tables of the generation that serves by their plain names, and change nothing.
-- Parameters: 1 projection's name. Always one row; its tables_in is null when no generation with tables serves: then no name is found.
-- Index: checkpoints_serving.
SELECT own.tables_in,
    set_config('search_path', coalesce(quote_ident(own.tables_in), 'pg_catalog'), true) AS search_path,
    set_config('enable_seqscan', 'on', true) AS seqscan, set_config('plan_cache_mode', 'auto', true) AS plans,
    set_config('TimeZone', 'UTC', true) AS zone, set_config('lock_timeout', '10s', true) AS lock_timeout,
    set_config('transaction_read_only', 'on', true) AS read_only
FROM (VALUES (1)) AS one
LEFT JOIN {schema}.checkpoints own ON own.name = $1 AND own.phase = 'serving'
