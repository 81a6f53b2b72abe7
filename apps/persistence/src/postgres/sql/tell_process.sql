-- Keeps for a time what a process tells the others of itself: what it runs that callers in others wait for, what it answers and where;
-- in place of what was kept of it, and removes what is not believed any more; what other processes tell. What is kept already, for two
-- thirds of the time still and for no longer than that, is not written again: mostly nothing is.
-- Parameters: 1 the node, 2 for how many milliseconds, 3 its word as JSON; null: nothing, and nothing is kept of it.
-- A row for each other process that tells something; none: there is none. Index: processes_pkey, of which there is a row for each process.
WITH gone AS (
    -- Passes over what another process is removing, so that no two wait for each other.
    DELETE FROM {schema}.processes WHERE node IN (
        SELECT node FROM {schema}.processes
        WHERE node <> $1 AND expires_at <= clock_timestamp() OR node = $1 AND $3::text IS NULL
        FOR UPDATE SKIP LOCKED
    )
), kept AS (
    INSERT INTO {schema}.processes (node, word, expires_at)
    SELECT $1::uuid, $3::text, clock_timestamp() + $2::bigint * interval '1 millisecond'
    WHERE $3::text IS NOT NULL AND NOT EXISTS (
        SELECT FROM {schema}.processes
        WHERE node = $1 AND word = $3
            AND expires_at > clock_timestamp() + $2::bigint * interval '1 millisecond' * 2 / 3
            AND expires_at <= clock_timestamp() + $2::bigint * interval '1 millisecond'
    )
    ON CONFLICT (node) DO UPDATE SET word = excluded.word, expires_at = excluded.expires_at
)
SELECT word FROM {schema}.processes WHERE node <> $1 AND expires_at > clock_timestamp()
