-- Purpose: how many processes run over a store, as far as they have told.
-- Parameters: none. Zero rows: never. Index: none; there is a row for each process.
SELECT count(*) AS processes FROM {schema}.processes WHERE expires_at > clock_timestamp()
