-- Lets the statements of this transaction find the tables of a generation by their plain names, and nothing else but what PostgreSQL has
-- built in. They are planned as its own settings would have it, and wait for locks as long as a save does.
-- Parameters: 1 checkpoint. Always one row; its tables_in is null when the generation has no tables: then no name is found.
-- Index: checkpoints_pkey.
SELECT own.tables_in,
    set_config('search_path', coalesce(quote_ident(own.tables_in), 'pg_catalog'), true) AS search_path,
    set_config('enable_seqscan', 'on', true) AS seqscan, set_config('plan_cache_mode', 'auto', true) AS plans,
    set_config('TimeZone', 'UTC', true) AS zone, set_config('lock_timeout', '10s', true) AS lock_timeout
FROM (VALUES (1)) AS one
LEFT JOIN {schema}.checkpoints own ON own.projection = $1
