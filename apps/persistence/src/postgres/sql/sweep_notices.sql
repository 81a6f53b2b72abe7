-- Removes kept notices whose time has come.
-- Parameters: 1 the time. One row for each that was removed. Index: notices_by_expiry.
DELETE FROM {schema}.notices WHERE expires_at <= $1 RETURNING notice_id
