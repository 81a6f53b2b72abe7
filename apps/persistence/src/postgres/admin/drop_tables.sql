-- Purpose: removes the tables that projections keep, with the schemas that hold them, unless something else depends on them.
-- Parameters: none; {schema} is the store's.
-- Zero rows: no projection has tables.
-- Index: none; there are a few rows for each projection.
SELECT {schema}.drop_tables(tables_in) FROM {schema}.checkpoints WHERE tables_in IS NOT NULL
