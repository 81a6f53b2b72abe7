-- Removes some of the kept notices whose time has come, the longest expired first; passes over those that somebody
-- else is removing.
-- Parameters: 1 the time, 2 how many at most. Always one row: how many were removed. Index: notices_by_expiry, notices_pkey.
WITH expired AS MATERIALIZED (
    SELECT notice_id FROM {schema}.notices WHERE expires_at <= $1
    ORDER BY expires_at LIMIT $2
    FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM {schema}.notices n USING expired WHERE n.notice_id = expired.notice_id
    RETURNING 1
)
SELECT count(*) AS removed FROM removed
